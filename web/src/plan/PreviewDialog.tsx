import { Button, Group, Modal, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';
import type { Membership } from './fragments';
import { CHANGE_PLAN } from './operations';
import { PreviewBody } from './PreviewBody';
import { PreviewOptions } from './PreviewOptions';
import { isOld, type Options, plain, question, type Wish } from './previewState';
import { usePreview } from './usePreview';
import type { Features } from './words';

interface Props {
  wish: Wish;
  membership: Membership;
  features: Features;
  onClose: () => void;
  /** To be called when what the page shows of the plan is not true any more. */
  onStale: () => void;
  onChanged: () => void;
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Shows what a change would cost, when it would come and what it would end, before it is made. */
export function PreviewDialog({ wish, membership, features, onClose, onStale, onChanged }: Props) {
  // Of when it was opened: a preview must not change under the eyes of who reads it.
  const [asOf, setAsOf] = useState(membership);
  const [options, setOptions] = useState<Options>(plain);
  const [checkout, setCheckout] = useState<string | null>(null);
  const { preview, problem, again } = usePreview(question(wish, options, asOf, zone));
  const { run, busy, failure, setFailure } = useAct(CHANGE_PLAN);
  const previewAgain = () => {
    setFailure(null);
    setAsOf(membership);
    onStale();
    again();
  };
  const confirm = async (token: string) => {
    const answer = await run({ input: { token } });
    const result = answer?.changePlan.result;
    if (result?.__typename === 'CheckoutRequired') setCheckout(result.url);
    else if (result) onChanged();
  };
  const choose = (next: Options) => {
    setFailure(null);
    setOptions(next);
  };
  const old = failure !== null && isOld(failure);
  return (
    <Modal opened onClose={onClose} title={titleOf(wish)} size="lg" closeButtonProps={{ 'aria-label': 'Close' }} data-testid="preview">
      {checkout ? (
        <Checkout url={checkout} onLater={onChanged} />
      ) : (
        <Stack>
          {'plan' in wish && <PreviewOptions options={options} coupons={wish.price !== undefined} onChange={choose} />}
          {problem && <ProblemNote problem={problem} />}
          {failure && (
            <ProblemNote problem={failure}>
              {old && (
                <Button size="compact-sm" variant="default" leftSection={<Icon name="retry" size={14} />} onClick={previewAgain}>
                  Preview again
                </Button>
              )}
            </ProblemNote>
          )}
          {!preview && !problem && <Skeleton h={120} />}
          {preview && <PreviewBody wish={wish} preview={preview} features={features} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button loading={busy} disabled={!preview || old} onClick={() => preview && void confirm(preview.token)}>
              Confirm
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

function titleOf(wish: Wish): string {
  if ('plan' in wish) return `Move to ${wish.plan.name}`;
  return wish.quantity > 1 ? `${wish.quantity} × ${wish.addon.name}` : wish.addon.name;
}

/** Somebody has to pay first. The page of the payment is another, so it is a link and no step of this page. */
function Checkout({ url, onLater }: { url: string; onLater: () => void }) {
  return (
    <Stack data-testid="checkout">
      <Text size="sm">This has to be paid first. The change comes with the payment; until then all stays as it is.</Text>
      <Group justify="flex-end">
        <Button variant="default" onClick={onLater}>
          Later
        </Button>
        <Button component="a" href={url} data-autofocus>
          Go to the payment
        </Button>
      </Group>
    </Stack>
  );
}
