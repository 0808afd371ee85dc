import { Button, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import type { ChangeMode } from './operations';
import type { Options } from './previewState';

interface Props {
  options: Options;
  /** Whether a coupon can be good for it. */
  coupons: boolean;
  onChange: (options: Options) => void;
}

const modes: { value: ChangeMode; label: string }[] = [
  { value: 'AUTO', label: 'Automatic' },
  { value: 'NOW', label: 'Now' },
  { value: 'PERIOD_END', label: 'At the end of the period' },
];

const hints: Record<ChangeMode, string> = {
  AUTO: 'What is more comes at once, everything else at the end of the period.',
  NOW: 'At once; the rest of the period is made good.',
  PERIOD_END: 'At the end of the period; until then all stays as it is.',
};

/** When a change is to come, and by which coupon. */
export function PreviewOptions({ options, coupons, onChange }: Props) {
  const [coupon, setCoupon] = useState(options.coupon);
  const apply = (event: SubmitEvent) => {
    event.preventDefault();
    onChange({ ...options, coupon: coupon.trim() });
  };
  return (
    <Stack gap="xs">
      <SegmentedControl
        size="xs"
        data={modes}
        value={options.mode}
        onChange={(mode) => onChange({ ...options, mode })}
        aria-label="When it comes"
      />
      <Text size="xs" c="dimmed">
        {hints[options.mode]}
      </Text>
      {coupons && (
        <form onSubmit={apply}>
          <Group gap="xs" align="flex-end">
            <TextInput
              label="Coupon"
              name="coupon"
              size="xs"
              maxLength={64}
              autoComplete="off"
              value={coupon}
              onChange={(e) => setCoupon(e.currentTarget.value)}
            />
            <Button type="submit" size="xs" variant="default" disabled={coupon.trim() === options.coupon}>
              {coupon.trim() || !options.coupon ? 'Use the coupon' : 'Without a coupon'}
            </Button>
          </Group>
        </form>
      )}
    </Stack>
  );
}
