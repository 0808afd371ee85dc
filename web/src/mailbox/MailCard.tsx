import { Anchor, Badge, Box, Collapse, Group, Paper, SegmentedControl, Text, UnstyledButton } from '@mantine/core';
import { useId, useState } from 'react';

import { doors } from '../app/pages';
import { Link } from '../app/router';
import { dateTime } from '../format/time';
import { pieces } from './links';
import classes from './MailboxPage.module.css';
import type { Mail } from './operations';

/** One mail, as its reader would see it: as text, or as HTML that may do nothing at all. */
export function MailCard({ mail, open: first }: { mail: Mail; open: boolean }) {
  const [open, setOpen] = useState(first);
  const [as, setAs] = useState('text');
  const id = useId();
  return (
    <Paper withBorder p="md" component="article" data-testid="mail" data-template={mail.template}>
      <UnstyledButton className={classes.subject} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)}>
        <Box miw={0}>
          <Text fw={600} size="sm" style={{ overflowWrap: 'anywhere' }}>
            {mail.subject}
          </Text>
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            To {mail.to} · {dateTime(mail.at)}
          </Text>
        </Box>
        <Badge variant="default" tt="none" flex="none" visibleFrom="xs">
          {mail.template}
        </Badge>
      </UnstyledButton>
      <Collapse expanded={open} id={id}>
        {open && (
          <Box mt="sm">
            <Group justify="flex-end" mb="xs">
              <SegmentedControl
                size="xs"
                aria-label="Show as"
                data={[
                  { value: 'text', label: 'Text' },
                  { value: 'html', label: 'HTML' },
                ]}
                value={as}
                onChange={setAs}
              />
            </Group>
            {as === 'text' ? (
              <pre className={classes.text} data-testid="mail-text">
                <Linked text={mail.text} />
              </pre>
            ) : (
              <iframe className={classes.html} title={mail.subject} sandbox="" srcDoc={mail.html} data-testid="mail-html" />
            )}
          </Box>
        )}
      </Collapse>
    </Paper>
  );
}

const ours = doors.map((door) => door.path);

function Linked({ text }: { text: string }) {
  return pieces(text, location.origin, ours).map((piece, i) => {
    if (!('href' in piece)) return piece.text;
    return piece.inside ? (
      <Anchor key={i} component={Link} href={piece.href} underline="always" inherit>
        {piece.text}
      </Anchor>
    ) : (
      <Anchor key={i} href={piece.href} target="_blank" rel="noreferrer" underline="always" inherit>
        {piece.text}
      </Anchor>
    );
  });
}
