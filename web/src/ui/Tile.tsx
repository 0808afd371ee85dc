import { Paper, Skeleton, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';

import { clockSeconds } from '../format/time';
import classes from './Tile.module.css';

interface Props {
  /** Names the tile for tests: `tile-{id}`. */
  id: string;
  label: string;
  /** Undefined while it is not known yet. */
  value: string | undefined;
  /** Time of the last event in the number. */
  at: string | null | undefined;
  /** A line beneath the number. */
  children: ReactNode;
}

/** One number of a dashboard. It glows for a moment when it changes, so that a glance finds what moved. */
export function Tile({ id, label, value, at, children }: Props) {
  const pulses = useChanges(value);
  return (
    <Paper withBorder p="md" className={classes.tile} data-testid={`tile-${id}`} data-pulses={pulses}>
      {/* A new key is a new element: the animation begins anew even while the one before runs. */}
      {pulses > 0 && <span key={pulses} className={classes.pulse} aria-hidden />}
      <Text size="sm" c="dimmed" fw={500}>
        {label}
      </Text>
      {value === undefined ? (
        <Skeleton h={30} w="60%" my={7} />
      ) : (
        <Text className={`${classes.value} bb-numeric`} data-testid={`tile-${id}-value`}>
          {value}
        </Text>
      )}
      <div className={classes.foot}>
        <Text size="xs" c="dimmed" className="bb-numeric" truncate>
          {children}
        </Text>
        <Text size="xs" c="dimmed" className={`bb-numeric ${classes.at}`} title="Last event" data-testid={`tile-${id}-at`}>
          {at ? clockSeconds(at) : ''}
        </Text>
      </div>
    </Paper>
  );
}

/** How often the value changed since it was first known. */
function useChanges(value: string | undefined): number {
  const [seen, setSeen] = useState({ value, changes: 0 });
  if (seen.value === value) return seen.changes;
  const changes = seen.value === undefined || value === undefined ? seen.changes : seen.changes + 1;
  setSeen({ value, changes });
  return changes;
}
