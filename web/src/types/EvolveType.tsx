import { Alert, Anchor, Button, Checkbox, CloseButton, Group, Modal, Select, Stack, Table, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import { href, Link } from '../app/router';
import { plural } from '../format/text';
import { ProblemNote } from '../ui/ProblemNote';
import { type Schema, stepInput, type StepRow } from './designer';
import { Designer } from './Designer';
import { type ContentType, EVOLVE_TYPE, type SchemaCheck } from './operations';
import { Pointer } from './Pointer';

const ops = [
  { value: 'RENAME', label: 'Rename' },
  { value: 'REMOVE', label: 'Remove' },
  { value: 'DEFAULT', label: 'Fill in' },
  { value: 'CONVERT', label: 'Convert' },
];
const conversions = ['TEXT', 'NUMBER', 'INTEGER', 'BOOLEAN', 'LIST'];

/** Changes the schema of a content type: what it means to the documents there are is shown before it is done. */
export function EvolveType({ type, types, onClose }: { type: ContentType; types: string[]; onClose: () => void }) {
  const [schema, setSchema] = useState<Schema>(type.schema);
  const [steps, setSteps] = useState<StepRow[]>([]);
  const [force, setForce] = useState(false);
  /** What the schema and the steps as they are would mean; null when that is not known. */
  const [check, setCheck] = useState<SchemaCheck | null>(null);
  // Of the version that was opened: others' changes must not be overwritten.
  const [version] = useState(type.version);
  const { run, busy, failure, setFailure } = useAct(EVOLVE_TYPE);
  const forget = () => {
    setCheck(null);
    setForce(false);
    setFailure(null);
  };
  const send = (dryRun: boolean) => run({ input: { type: type.key, version, schema, steps: steps.map(stepInput), dryRun, force: !dryRun && force } });
  const dryRun = async () => setCheck((await send(true))?.evolveContentType.check ?? null);
  const apply = async () => {
    if (await send(false)) onClose();
  };
  const write = (next: StepRow[]) => {
    setSteps(next);
    forget();
  };
  return (
    <Modal opened onClose={onClose} title={`Change ${type.name}`} size="80rem" closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack data-testid="evolve">
        <Designer
          schema={schema}
          types={types}
          onChange={(next) => {
            setSchema(next);
            forget();
          }}
        />
        <Steps steps={steps} onChange={write} />
        {failure && (
          <ProblemNote problem={failure}>
            <Pointer problem={failure} />
          </ProblemNote>
        )}
        {check && <Check check={check} />}
        {check && check.invalid > 0 && (
          <Checkbox
            label="Apply it all the same: these documents stay as they are until somebody changes them"
            checked={force}
            onChange={(e) => setForce(e.currentTarget.checked)}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button variant="default" loading={busy} onClick={() => void dryRun()}>
            Dry run
          </Button>
          <Button loading={busy} disabled={!check || (check.invalid > 0 && !force)} onClick={() => void apply()}>
            Apply
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** How the data there is becomes that of the new schema. */
function Steps({ steps, onChange }: { steps: StepRow[]; onChange: (steps: StepRow[]) => void }) {
  const edit = (at: number, change: Partial<StepRow>) => onChange(steps.map((s, i) => (i === at ? { ...s, ...change } : s)));
  return (
    <Stack gap="xs" component="section" aria-label="Steps">
      <Text size="sm" fw={600}>
        What becomes of the data there is
      </Text>
      {steps.map((step, i) => (
        <Group key={i} gap="xs" align="flex-end" data-testid="step">
          <Select
            label="Step"
            w={120}
            data={ops}
            value={step.op}
            allowDeselect={false}
            onChange={(op) => edit(i, { op: op as StepRow['op'], to: op === 'CONVERT' ? 'TEXT' : '' })}
          />
          <TextInput flex="1 1 8rem" label="Field" value={step.field} onChange={(e) => edit(i, { field: e.currentTarget.value })} />
          {step.op === 'RENAME' && (
            <TextInput flex="1 1 8rem" label="New name" value={step.to} onChange={(e) => edit(i, { to: e.currentTarget.value })} />
          )}
          {step.op === 'CONVERT' && (
            <Select flex="1 1 8rem" label="To" data={conversions} value={step.to} allowDeselect={false} onChange={(to) => edit(i, { to: to ?? 'TEXT' })} />
          )}
          {step.op === 'DEFAULT' && (
            <TextInput flex="1 1 8rem" label="Value, as JSON" value={step.value} onChange={(e) => edit(i, { value: e.currentTarget.value })} />
          )}
          <CloseButton mb={4} aria-label={`Remove step ${i + 1}`} onClick={() => onChange(steps.filter((_, at) => at !== i))} />
        </Group>
      ))}
      <div>
        <Button size="compact-sm" variant="default" onClick={() => onChange([...steps, { op: 'RENAME', field: '', to: '', value: '' }])}>
          Add a step
        </Button>
      </div>
    </Stack>
  );
}

/** What the schema means to the documents there are. */
function Check({ check }: { check: SchemaCheck }) {
  const good = check.invalid === 0;
  return (
    <Stack gap="xs" data-testid="check">
      <Alert color={good ? 'teal' : 'yellow'} variant="light" role="status">
        {plural(check.total, 'document')} looked at{check.partial && ', for there was no time for all'};{' '}
        {good ? 'all are valid.' : `${plural(check.invalid, 'would', 'would')} not be valid.`}
      </Alert>
      {check.problems.length > 0 && (
        <Table.ScrollContainer minWidth={420} type="native">
          <Table verticalSpacing={6}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Document</Table.Th>
                <Table.Th>Where</Table.Th>
                <Table.Th>What is wrong</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {check.problems.map((p) => (
                <Table.Tr key={`${p.document} ${p.pointer}`}>
                  <Table.Td>
                    <Anchor component={Link} size="sm" href={href('/documents', { open: p.document })}>
                      Open
                    </Anchor>
                  </Table.Td>
                  <Table.Td>{p.pointer || 'The whole'}</Table.Td>
                  <Table.Td>{p.message}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Stack>
  );
}
