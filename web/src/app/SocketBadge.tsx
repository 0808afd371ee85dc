import { Text, Tooltip, UnstyledButton } from '@mantine/core';

import type { SocketState } from '../api/socket';
import { useSocketState } from '../session/SocketProvider';
import classes from './SocketBadge.module.css';

const words: Record<SocketState['phase'], { label: string; text: string }> = {
  connecting: { label: 'Connecting', text: 'The live connection is being made' },
  open: { label: 'Live', text: 'Connected: changes arrive as they happen' },
  lost: { label: 'Reconnecting', text: 'The live connection was lost. What you see may be old; trying again' },
  refused: { label: 'Offline', text: 'The server refused the live connection. Reload to try again' },
};

/** How the live socket is doing. */
export function SocketBadge() {
  const { phase, latencyMs } = useSocketState();
  const { label, text } = words[phase];
  return (
    <Tooltip label={latencyMs === null ? text : `${text} · ${latencyMs} ms`}>
      <UnstyledButton
        className={classes.badge}
        data-phase={phase}
        data-testid="socket"
        aria-live="polite"
        onClick={phase === 'refused' ? () => location.reload() : undefined}
      >
        <span className={classes.dot} />
        <Text span size="sm" className={classes.label}>
          {label}
        </Text>
      </UnstyledButton>
    </Tooltip>
  );
}
