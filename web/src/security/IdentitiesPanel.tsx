import { Button, Group, Stack, Text } from '@mantine/core';

import { useAct } from '../api/useAct';
import { BEGIN_PROVIDER } from '../auth/operations';
import { ago, date } from '../format/time';
import { useSession } from '../session/viewer';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { type Identity, UNLINK_IDENTITY } from './operations';

/** Accounts elsewhere that are good for signing in here. Not shown where there are none to be had. */
export function IdentitiesPanel({ identities, reload }: { identities: Identity[]; reload: () => void }) {
  const { settings } = useSession();
  const link = useAct(BEGIN_PROVIDER);
  const unlink = useAct(UNLINK_IDENTITY);
  const now = useNow(30_000);
  if (identities.length === 0 && settings.providers.length === 0) return null;

  const nameOf = (key: string) => settings.providers.find((p) => p.key === key)?.name ?? key;
  const add = async (provider: string) => {
    const answer = await link.run({ input: { provider, returnTo: '/security', link: true } });
    if (answer) location.assign(answer.beginProvider.url);
  };
  const drop = async (identity: string) => {
    if (await unlink.run({ input: { identity } })) reload();
  };
  const failure = link.failure ?? unlink.failure;
  return (
    <Panel title="Linked accounts" hint="Other places you can sign in with" data-testid="panel-identities">
      <Stack gap="sm">
        {failure && <ProblemNote problem={failure} />}
        {identities.length === 0 && (
          <Text size="sm" c="dimmed">
            None yet
          </Text>
        )}
        <Rows label="Linked accounts">
          {identities.map((i) => (
            <Row
              key={i.id}
              title={nameOf(i.provider)}
              detail={`${i.email ? `${i.email} · ` : ''}linked ${date(i.createdAt)}${i.lastUsedAt ? ` · used ${ago(i.lastUsedAt, now)}` : ''}`}
            >
              <ConfirmButton
                label="Unlink"
                aria-label={`Unlink ${nameOf(i.provider)}`}
                question={`Unlink ${nameOf(i.provider)}? It then no longer lets you in.`}
                loading={unlink.busy}
                onConfirm={() => void drop(i.id)}
              />
            </Row>
          ))}
        </Rows>
        <Group gap="xs">
          {settings.providers.map((p) => (
            <Button key={p.key} size="compact-sm" variant="light" loading={link.busy} onClick={() => void add(p.key)}>
              Link {p.name}
            </Button>
          ))}
        </Group>
      </Stack>
    </Panel>
  );
}
