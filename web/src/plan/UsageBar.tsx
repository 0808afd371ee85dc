import { Group, List, Progress, Text, UnstyledButton } from '@mantine/core';
import { type ReactNode, useState } from 'react';

import { sentence } from '../format/text';
import { date } from '../format/time';
import type { Entitlement } from './fragments';
import { featureName, type Features, fill, useDetails, usedWords } from './words';

const colors: Record<Entitlement['level'], string | undefined> = { OK: undefined, NEAR: 'yellow', EXCEEDED: 'red' };

/** How much of a feature is used. */
export function UsageBar({ entitlement: e, features }: { entitlement: Entitlement; features: Features }) {
  const name = featureName(features, e.feature);
  const unit = features.get(e.feature)?.unit;
  const { used, reserved } = fill(e);
  // All used is not above it, but nothing more can be.
  const color = e.remaining === 0 ? 'red' : colors[e.level];
  const details = useDetails(e, unit, date);
  return (
    <div data-testid={`usage-${e.feature}`} data-level={e.level}>
      <Group justify="space-between" gap="xs" mb={6}>
        <Text size="sm" fw={500} title={features.get(e.feature)?.description}>
          {name}
        </Text>
        <Text size="sm" c="dimmed" className="bb-numeric" data-testid="used">
          {usedWords(e, unit)}
        </Text>
      </Group>
      <Progress.Root radius="xl">
        <Progress.Section value={used} aria-label={name} {...(color && { color })} />
        {reserved > 0 && <Progress.Section value={reserved} aria-label={`${name}, reserved`} color="gray" />}
      </Progress.Root>
      {e.limit !== null && e.remaining === 0 && e.overage === 0 && (
        <Text size="xs" c="red" mt={4}>
          All used: a higher plan allows more.
        </Text>
      )}
      <Why of={name} steps={e.why}>
        {details.join(' · ')}
      </Why>
    </div>
  );
}

/** What there is to know, and on demand the steps that led to it. */
export function Why({ of, steps, children }: { of: string; steps: string[]; children?: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Group justify="space-between" gap="xs" mt={4} wrap="nowrap" align="flex-start">
        <Text size="xs" c="dimmed">
          {children}
        </Text>
        <UnstyledButton
          fz="xs"
          lh="inherit"
          c="var(--mantine-color-anchor)"
          flex="none"
          aria-expanded={open}
          aria-label={`Why: ${of}`}
          onClick={() => setOpen(!open)}
        >
          Why?
        </UnstyledButton>
      </Group>
      {open && (
        <List size="xs" mt={4} type="ordered" data-testid="why">
          {steps.map((step) => (
            <List.Item key={step}>{sentence(step)}</List.Item>
          ))}
        </List>
      )}
    </>
  );
}
