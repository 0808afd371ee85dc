import { Button, Group, Modal, Skeleton, Stack, Text } from '@mantine/core';
import { useEffect, useState } from 'react';

import { useAct } from '../api/useAct';
import { plural } from '../format/text';
import { Over } from '../plan/PreviewBody';
import type { Features } from '../plan/words';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { MIGRATE_MEMBERS, type MovedMember, type Version } from './operations';
import { useNames } from './useNames';

interface Props {
  plan: Version;
  features: Features;
  onClose: () => void;
}

/** Says who would be moved to the current version of a plan, and then moves them. */
export function MigrateDialog({ plan, features, onClose }: Props) {
  const look = useAct(MIGRATE_MEMBERS);
  const move = useAct(MIGRATE_MEMBERS);
  const [members, setMembers] = useState<MovedMember[] | null>(null);
  const [moved, setMoved] = useState<number | null>(null);
  useEffect(() => {
    void look.run({ input: { plan: plan.key, dryRun: true } }).then((answer) => setMembers(answer?.migrateMembers.members ?? null));
    // Once, for the plan it was opened for.
  }, [plan.key]);
  const names = useNames(members?.map((m) => m.subject) ?? []);
  const go = async () => {
    const answer = await move.run({ input: { plan: plan.key } });
    if (answer) setMoved(answer.migrateMembers.members.length);
  };
  const failure = look.failure ?? move.failure;
  return (
    <Modal
      opened
      onClose={onClose}
      title={`Move members to the current version of ${plan.name}`}
      size="lg"
      closeButtonProps={{ 'aria-label': 'Close' }}
      data-testid="migrate"
    >
      <Stack>
        {failure && <ProblemNote problem={failure} />}
        {!members && !failure && <Skeleton h={90} />}
        {moved !== null && <Text size="sm">{plural(moved, 'member was', 'members were')} moved.</Text>}
        {members && moved === null && (
          <>
            <Text size="sm">
              {members.length === 0
                ? 'Everybody is on the current version already.'
                : `${plural(members.length, 'member', 'members')} would be moved, for nothing until their next period.`}
            </Text>
            <Rows label="Who would be moved">
              {members.slice(0, 100).map((m) => (
                <Row
                  key={m.subject}
                  title={names.get(m.subject) ?? m.subject}
                  detail={m.overQuota.length > 0 && m.overQuota.map((item) => <Over key={item.feature} item={item} features={features} />)}
                />
              ))}
            </Rows>
          </>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {moved === null ? 'Cancel' : 'Close'}
          </Button>
          {moved === null && (
            <Button loading={move.busy} disabled={!members || members.length === 0} onClick={() => void go()}>
              Move them
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
