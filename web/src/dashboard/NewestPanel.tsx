import { Anchor, SegmentedControl, Text } from '@mantine/core';
import { useState } from 'react';

import { href, Link } from '../app/router';
import { ago } from '../format/time';
import type { Channel } from '../live/message';
import { Panel } from '../ui/Panel';
import { useNow } from '../ui/useNow';
import { ChannelBody } from './ChannelBody';
import classes from './NewestPanel.module.css';

const types = [
  { value: 'note', label: 'Notes' },
  { value: 'movie', label: 'Movies' },
];

/** The newest documents of a content type, as they are made and changed. */
export function NewestPanel({ channels }: { channels: Readonly<Record<string, Channel>> }) {
  const [type, setType] = useState('note');
  const now = useNow(5_000);
  const channel = channels[type];
  const documents = channel?.data?.__typename === 'DocumentList' ? channel.data.documents : [];
  return (
    <Panel
      title="Newest documents"
      hint="As they change"
      data-testid="panel-newest"
      aside={<SegmentedControl size="xs" data={types} value={type} onChange={setType} aria-label="Content type" />}
    >
      <ChannelBody
        channel={channel}
        height={420}
        empty={documents.length === 0}
        emptyTitle="Nothing here yet"
        emptyHint={
          <>
            Write one in{' '}
            <Anchor component={Link} href={href('/documents', { type })} size="sm">
              Documents
            </Anchor>
            , and it appears here at once.
          </>
        }
      >
        <ul className={classes.list}>
          {documents.map((document) => (
            // The revision is part of the key: a changed document lights up like a new one.
            <li key={`${document.id} ${document.rev}`} className={classes.row}>
              <Link href={href('/documents', { type, open: document.id })} className={classes.link}>
                <Text size="sm" fw={500} lineClamp={2}>
                  {document.label}
                </Text>
                <Text size="xs" c="dimmed" className="bb-numeric">
                  {ago(document.updatedAt, now)}
                  {document.rev > 1 && ` · revision ${document.rev}`}
                </Text>
              </Link>
            </li>
          ))}
        </ul>
      </ChannelBody>
    </Panel>
  );
}
