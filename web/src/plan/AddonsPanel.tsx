import { Button, Group, NumberInput, Text } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import type { Membership } from './fragments';
import { addonPrice } from './offer';
import { type Addon, END_ADDON } from './operations';
import type { Wish } from './previewState';
import { amount, featureName, type Features, money, priceWords } from './words';

interface Props {
  addons: Addon[];
  features: Features;
  membership: Membership;
  changed: () => void;
  onWish: (wish: Wish) => void;
}

/** What was bought besides the plan, and what can be. */
export function AddonsPanel({ addons, features, membership, changed, onWish }: Props) {
  const { run, busy, failure } = useAct(END_ADDON);
  const bought = membership.addons;
  const offered = addons.filter((a) => !a.closed);
  if (bought.length === 0 && offered.length === 0) return null;
  const end = async (addon: string) => {
    if (await run({ input: { addon } })) changed();
  };
  return (
    <Panel title="Add-ons" hint="More of something, besides the plan" data-testid="panel-addons">
      {failure && <ProblemNote problem={failure} mb="sm" />}
      <Rows label="My add-ons">
        {bought.map((b) => (
          <Row key={b.id} title={b.quantity > 1 ? `${b.quantity} × ${b.name}` : b.name} detail={boughtWords(b, membership.periodEnd)} data-testid="my-addon">
            {b.until === null && !b.ending && (
              <ConfirmButton
                label="End"
                aria-label={`End ${b.name}`}
                question={`Let ${b.name} end on ${date(membership.periodEnd)}?`}
                loading={busy}
                onConfirm={() => void end(b.id)}
              />
            )}
          </Row>
        ))}
      </Rows>
      {bought.length > 0 && offered.length > 0 && (
        <Text size="xs" c="dimmed" mt="sm" mb={4}>
          On offer
        </Text>
      )}
      <Rows label="Add-ons on offer">
        {offered.map((a) => (
          <Offered key={a.key} addon={a} features={features} paid={membership.price} onWish={onWish} />
        ))}
      </Rows>
    </Panel>
  );
}

function boughtWords(b: Membership['addons'][number], end: string): string {
  const since = `Since ${date(b.since)}`;
  if (b.until) return `${since} · until ${date(b.until)}`;
  return b.ending ? `${since} · ends on ${date(end)}` : `${since} · renews with the plan`;
}

interface OfferedProps {
  addon: Addon;
  features: Features;
  /** Key of the price that is paid for the plan. */
  paid: string;
  onWish: (wish: Wish) => void;
}

function Offered({ addon, features, paid, onWish }: OfferedProps) {
  const [quantity, setQuantity] = useState(1);
  const price = addonPrice(addon, paid);
  const gives = addon.gives.map((g) => `${amount(g.amount, features.get(g.feature)?.unit)} more of ${featureName(features, g.feature)}`);
  const lasts = addon.recurring ? null : addon.days > 0 ? `for ${plural(addon.days, 'day')}` : 'for the rest of the period';
  const costs = price && (addon.recurring ? priceWords(price) : `${money(price)} once`);
  return (
    <Row title={addon.name} detail={[...gives, lasts, costs].filter(Boolean).join(' · ')} data-testid={`addon-${addon.key}`}>
      <Group gap={6} wrap="nowrap">
        <NumberInput
          size="xs"
          w={70}
          min={1}
          max={100}
          allowDecimal={false}
          aria-label={`How many of ${addon.name}`}
          value={quantity}
          onChange={(n) => setQuantity(Math.max(1, Number(n) || 1))}
        />
        <Button size="xs" variant="default" aria-label={`Buy ${addon.name}`} onClick={() => onWish({ addon, quantity })}>
          Buy
        </Button>
      </Group>
    </Row>
  );
}
