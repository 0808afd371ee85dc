import { Alert, Group, Stack, Text } from '@mantine/core';

import { count } from '../format/number';
import { dateTime } from '../format/time';
import { Icon } from '../ui/Icon';
import { Lines } from './Lines';
import type { ChangePreview, OverQuotaItem } from './operations';
import { atOnce, dueWords, trialWords, type Wish } from './previewState';
import { amount, featureName, type Features, money, priceWords } from './words';

/** What a change would be. */
export function PreviewBody({ wish, preview, features }: { wish: Wish; preview: ChangePreview; features: Features }) {
  const { lines, net, due, now, effectiveAt, expiresAt, overQuota } = preview;
  const trial = trialWords(wish, preview, priceWords);
  return (
    <Stack gap="sm" data-testid="preview-body">
      <div>
        <Text size="sm">{atOnce(preview) ? `It comes at once, on ${dateTime(effectiveAt)}.` : `It comes on ${dateTime(effectiveAt)}.`}</Text>
        {trial && <Text size="sm">{trial}</Text>}
        <Text size="xs" c="dimmed">
          Amounts as of {dateTime(now)}; good until {dateTime(expiresAt)}.
        </Text>
      </div>
      {lines.length > 0 && <Lines lines={lines} currency={net.currency} />}
      <Group justify="space-between" align="baseline">
        <Text size="sm" c="dimmed">
          Sum {money(net)}
          {due.amountMinor !== net.amountMinor && `, less the credit ${money(due)}`}
        </Text>
        <Text fw={650} className="bb-numeric" data-testid="preview-due">
          {dueWords(preview, money)}
        </Text>
      </Group>
      {overQuota.length > 0 && (
        <Alert color="yellow" variant="light" icon={<Icon name="alert" />} title="More is used than this would allow" data-testid="preview-over">
          <Stack gap={4}>
            {overQuota.map((item) => (
              <Over key={item.feature} item={item} features={features} />
            ))}
          </Stack>
        </Alert>
      )}
    </Stack>
  );
}

const policies: Record<OverQuotaItem['onOver'], string> = {
  BLOCK_NEW: 'Nothing is deleted, but nothing can be added until less is used.',
  READ_ONLY: 'Nothing is deleted, but nothing can be added or changed until less is used.',
  ALLOW_BILL: 'It goes on, and what is above may be billed.',
};

/** A feature of which more is used than is allowed. */
export function Over({ item, features }: { item: OverQuotaItem; features: Features }) {
  const unit = features.get(item.feature)?.unit;
  return (
    <Text size="sm">
      {featureName(features, item.feature)}: {count(item.used)} used, {amount(item.limit, unit)} allowed, {amount(item.excess, unit)} too many.{' '}
      {policies[item.onOver]}
    </Text>
  );
}
