import { Badge, Button, Group, List, Stack, Switch, Text, Textarea } from '@mantine/core';
import { useState } from 'react';

import type { Problem } from '../api/problem';
import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { change, signs } from './changes';
import { APPLY_CATALOGUE, COMPARE_CATALOGUE } from './operations';

/** The catalogue as a text. What would change is shown before it does. */
export function CatalogueEditor({ yaml }: { yaml: string }) {
  const [text, setText] = useState<string | null>(null);
  const [prune, setPrune] = useState(false);
  /** What would change by the text as it is; null when that is not known. */
  const [changes, setChanges] = useState<string[] | null>(null);
  const [done, setDone] = useState('');
  const compare = useAct(COMPARE_CATALOGUE);
  const apply = useAct(APPLY_CATALOGUE);
  const failure = compare.failure ?? apply.failure;
  const value = text ?? yaml;
  const edit = (next: string | null) => {
    setText(next);
    forget();
  };
  const forget = () => {
    setChanges(null);
    setDone('');
    compare.setFailure(null);
    apply.setFailure(null);
  };
  const show = async () => {
    forget();
    setChanges((await compare.run({ yaml: value, prune }))?.applyCatalogue.changes ?? null);
  };
  const make = async () => {
    const answer = await apply.run({ yaml: value, prune });
    if (!answer) return;
    edit(null);
    setDone(`${plural(answer.applyCatalogue.changes.length, 'change')} made.`);
  };
  return (
    <Panel
      title="Catalogue"
      hint="As YAML. A plan whose prices or features differ gets a new version; who is on an older one keeps it"
      data-testid="catalogue"
    >
      <Stack gap="sm">
        <Textarea
          aria-label="Catalogue as YAML"
          name="yaml"
          autosize
          minRows={12}
          maxRows={28}
          spellCheck={false}
          wrap="off"
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 'var(--mantine-font-size-xs)', overflowX: 'auto' } }}
          value={value}
          onChange={(e) => edit(e.currentTarget.value)}
        />
        <Switch
          label="Take away what the text does not name"
          checked={prune}
          onChange={(e) => {
            setPrune(e.currentTarget.checked);
            forget();
          }}
        />
        {failure && <Refused problem={failure} />}
        {changes && <Changes lines={changes} />}
        <Text size="sm" role="status" style={{ display: done ? undefined : 'none' }}>
          {done}
        </Text>
        <Group gap="xs">
          <Button variant="default" loading={compare.busy} disabled={apply.busy} onClick={() => void show()}>
            Show what would change
          </Button>
          <Button loading={apply.busy} disabled={!changes || changes.length === 0 || compare.busy} onClick={() => void make()}>
            Apply
          </Button>
          {text !== null && (
            <Button variant="subtle" onClick={() => edit(null)}>
              As it was
            </Button>
          )}
        </Group>
      </Stack>
    </Panel>
  );
}

/** What is wrong with the text, and where: the server names the place, or shows the lines around it. */
function Refused({ problem }: { problem: Problem }) {
  const { field, details } = problem;
  const place = field?.replace(/^input\.(yaml\.?)?/, '');
  return (
    <ProblemNote problem={problem} style={{ whiteSpace: 'pre-wrap' }}>
      {place && <Text size="sm">It is about {place}.</Text>}
      {typeof details['members'] === 'number' && <Text size="sm">{plural(details['members'], 'member is', 'members are')} on it.</Text>}
    </ProblemNote>
  );
}

function Changes({ lines }: { lines: string[] }) {
  if (lines.length === 0) return <Text size="sm">Nothing would change.</Text>;
  return (
    <List listStyleType="none" spacing={4} size="sm" data-testid="changes">
      {lines.map((line) => {
        const { sign, text } = change(line);
        return (
          <List.Item key={line}>
            <Group gap="xs" wrap="nowrap" align="flex-start">
              {sign && (
                <Badge variant="light" color={signs[sign].color} size="sm" tt="none" title={signs[sign].word} style={{ flex: 'none' }}>
                  {sign}
                </Badge>
              )}
              <Text size="sm" style={{ overflowWrap: 'anywhere', color: sign ? readable(signs[sign].color) : undefined }}>
                {text}
              </Text>
            </Group>
          </List.Item>
        );
      })}
    </List>
  );
}

/** A colour that text can be read in, on light as on dark. */
function readable(color: string): string {
  return `light-dark(var(--mantine-color-${color}-9), var(--mantine-color-${color}-3))`;
}
