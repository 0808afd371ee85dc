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
      return (
        <Tooltip label={path ? `${path} → ${target.type.name}` : target.type.name}>
          <Badge
            component={Link}
            href={href('/documents', { type: target.type.key, open: target.id })}
            variant="light"
            size="lg"
            tt="none"
            fz={13}
            fw={500}
            maw={200}
            style={{ cursor: 'pointer' }}
            data-testid="reference"
          >
            {target.label}
          </Badge>
        </Tooltip>
      );
    case 'Tombstone':
      return <Other text={target.label} hint={`Deleted on ${date(target.deletedAt)}`} struck />;
    case 'Forbidden':
      return <Other text="Hidden" hint="Your roles do not let you see what this points at" />;
    case 'UnknownTarget':
      return <Other text="Nothing" hint="No object of this id ever was" />;
    default:
      return <Other text={target.name} hint={`A ${kinds[target.__typename] ?? 'thing'}`} />;
  }
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
