import { Anchor, Autocomplete, Badge, Button, Code, CopyButton, Group, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, Link, navigate } from '../app/router';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { EXPLAIN, type Explanation, ROLE_GRAPH } from './operations';
import { PickPerson } from './PickPerson';
import { reasons, splitInstance } from './words';

interface Props {
  user: string | null;
  /** With its arguments: `report.view(region=EU)`. */
  permission: string | null;
  on: string | null;
}

/** May somebody do something, and why? The question is in the address. */
export function Explain({ user, permission, on }: Props) {
  const [wanted, setWanted] = useState(permission ?? '');
  const [object, setObject] = useState(on ?? '');
  const [who, setWho] = useState(user);
  const [{ data: graph }] = useQuery({ query: ROLE_GRAPH });
  const { key, args } = splitInstance(permission ?? '');
  const asked = user !== null && permission !== null;
  const [{ data, error, fetching }] = useQuery({
    query: EXPLAIN,
    variables: { user: user ?? '', check: { permission: key, args, on } },
    pause: !asked,
    requestPolicy: 'network-only',
  });
  return (
    <Stack>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          navigate(href('/roles', { tab: 'explain', user: who, permission: wanted.trim(), on: object.trim() }));
        }}
      >
        <Stack gap="xs">
          <PickPerson value={who} onChange={setWho} />
          <Autocomplete
            label="Permission"
            description="With its arguments, such as report.view(region=EU)"
            data={graph?.permissions.map((p) => p.key) ?? []}
            value={wanted}
            onChange={setWanted}
          />
          <TextInput label="Object" placeholder="document:… or nothing" value={object} onChange={(e) => setObject(e.currentTarget.value)} />
          <Group>
            <Button type="submit" disabled={!who || !wanted.trim()}>
              Explain
            </Button>
          </Group>
        </Stack>
      </form>
      {asked && error && <ProblemNote problem={problemOf(error)} />}
      {asked && fetching && !data && <Skeleton h={120} />}
      {asked && data && <Answer explained={data.explain} permission={permission} />}
    </Stack>
  );
}

function Answer({ explained, permission }: { explained: Explanation; permission: string }) {
  const { decision, path, predicates, missing, roles, text, supportingGrants, objectGrant } = explained;
  return (
    <Panel
      title={decision.allowed ? 'Yes' : 'No'}
      hint={reasons[decision.reason] ?? decision.reason}
      data-testid="explained"
      aside={
        <Badge color={decision.allowed ? 'teal' : 'red'} variant="light">
          {decision.reason}
        </Badge>
      }
    >
      <Stack gap="sm">
        {path.length > 0 && (
          <Group gap={6} component="ol" p={0} m={0} aria-label="The way" style={{ listStyle: 'none' }}>
            <Step>the person</Step>
            {path.map((step) => (
              <Step key={step.grant} title={step.grant}>
                → {step.role}
              </Step>
            ))}
            <Step>⇒ {permission}</Step>
          </Group>
        )}
        {objectGrant && <Text size="sm">By a grant on the object itself.</Text>}
        {supportingGrants > path.length && <Text size="sm">{supportingGrants} grants lie on ways that give it.</Text>}
        {predicates.map((p) => (
          <Text size="sm" key={p.name}>
            The condition <Code>{p.name}</Code> {p.expression && <Code>{p.expression}</Code>} says {p.outcome.toLowerCase()}.
          </Text>
        ))}
        {missing.length > 0 && <Text size="sm">Missing: {missing.join(', ')}</Text>}
        {roles.length > 0 && (
          <Text size="sm">
            Roles that would give it:{' '}
            {roles.map((r) => (
              <Code key={r} mr={4}>
                {r}
              </Code>
            ))}
          </Text>
        )}
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <Code block style={{ flex: 1, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }} data-testid="explained-text">
            {text}
          </Code>
          <CopyButton value={text}>
            {({ copied, copy }) => (
              <Button size="compact-sm" variant="default" onClick={copy}>
                {copied ? 'Copied' : 'Copy'}
              </Button>
            )}
          </CopyButton>
        </Group>
        <Anchor component={Link} href={href('/roles', {})} size="sm">
          To the graph
        </Anchor>
      </Stack>
    </Panel>
  );
}

function Step({ title, children }: { title?: string; children: ReactNode }) {
  return (
    <Badge component="li" variant="default" tt="none" title={title}>
      {children}
    </Badge>
  );
}
