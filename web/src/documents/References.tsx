import { Badge, Group, Text, Tooltip } from '@mantine/core';

import { href, Link } from '../app/router';
import { date } from '../format/time';
import type { DocumentRow, Target } from './operations';

/** What a document points at. */
export function References({ references }: { references: DocumentRow['references'] }) {
  if (references.length === 0) {
    return (
      <Text c="dimmed" size="sm">
        –
      </Text>
    );
  }
  return (
    <Group gap={6}>
      {references.map((r) => (
        <TargetLink key={r.path} target={r.target} path={r.path} />
      ))}
    </Group>
  );
}

const kinds: Record<string, string> = { User: 'user', Role: 'role', Plan: 'plan', ContentType: 'content type' };

/** What a reference leads to: a link if it is a document, else its name and kind, or why there is nothing to show. */
export function TargetLink({ target, path }: { target: Target; path?: string }) {
  switch (target.__typename) {
    case 'Document':
      return <DocumentLink document={target} path={path} />;
    case 'Note':
    case 'Task':
    case 'Comment':
    case 'Tag':
    case 'Attachment':
    case 'Bookmark':
    case 'SavedReport':
    case 'Dashboard':
      return <DocumentLink document={target.document} path={path} />;
    case 'Tombstone':
      return <Other text={target.label} hint={`Deleted on ${date(target.deletedAt)}`} struck />;
    case 'Forbidden':
      return <Other text="Hidden" hint="Your roles do not let you see what this points at" />;
    case 'UnknownTarget':
      return <Other text="Nothing" hint="No object of this id ever was" />;
    case 'UnknownType':
      return (
        <Other text="Out of use" hint={target.contentType ? 'Its content type was taken out of use' : 'This server does not know objects of this kind'} />
      );
    case 'Device':
    case 'Metric':
      return <Other text={target.__typename} hint={`A ${target.__typename.toLowerCase()}`} />;
    default:
      return <Other text={target.name} hint={`A ${kinds[target.__typename] ?? 'thing'}`} />;
  }
}

function DocumentLink({ document, path }: { document: Extract<Target, { __typename: 'Note' }>['document']; path: string | undefined }) {
  return (
    <Tooltip label={path ? `${path} → ${document.type.name}` : document.type.name}>
      <Badge
        component={Link}
        href={href('/documents', { type: document.type.key, open: document.id })}
        variant="light"
        size="lg"
        tt="none"
        fz={13}
        fw={500}
        maw={200}
        style={{ cursor: 'pointer' }}
        data-testid="reference"
      >
        {document.label}
      </Badge>
    </Tooltip>
  );
}

function Other({ text, hint, struck }: { text: string; hint: string; struck?: boolean }) {
  return (
    <Tooltip label={hint}>
      <Badge variant="default" size="lg" tt="none" fz={13} fw={500} maw={200} td={struck ? 'line-through' : undefined}>
        {text}
      </Badge>
    </Tooltip>
  );
}
