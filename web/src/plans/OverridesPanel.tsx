import { Button, Text } from '@mantine/core';
import { useState } from 'react';

import { useAct } from '../api/useAct';
import type { Entitlement, Membership } from '../plan/fragments';
import type { Features } from '../plan/words';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { OVERRIDE } from './operations';
import { clearInput, overrideWords } from './override';
import { OverrideForm } from './OverrideForm';

interface Props {
  membership: Membership;
  entitlements: Entitlement[];
  features: Features;
  writes: boolean;
  reload: () => void;
}

/** What somebody has more or less of than the plan gives. */
export function OverridesPanel({ membership, entitlements, features, writes, reload }: Props) {
  const { run, busy, failure } = useAct(OVERRIDE);
  const [open, setOpen] = useState(false);
  const { subject, overrides, now } = membership;
  return (
    <Panel
      title="Exceptions"
      hint="More or less of a feature than the plan gives"
      data-testid="overrides"
      aside={
        writes && (
          <Button size="compact-sm" variant="default" onClick={() => setOpen(true)}>
            Make an exception
          </Button>
        )
      }
    >
      {failure && <ProblemNote problem={failure} mb="sm" />}
      {overrides.length === 0 && (
        <Text size="sm" c="dimmed">
          None
        </Text>
      )}
      <Rows label="Exceptions">
        {overrides.map((o) => {
          const over = o.expiresAt !== null && o.expiresAt <= now;
          return (
            <Row key={o.feature} title={overrideWords(o, features)} detail={[over && 'over', o.reason].filter(Boolean).join(' · ')}>
              {writes && (
                <ConfirmButton
                  label="Take back"
                  aria-label={`Take back the exception for ${o.feature}`}
                  question="Let the plan hold again?"
                  loading={busy}
                  onConfirm={() => void run({ input: clearInput(subject, o) }).then((answer) => answer && reload())}
                />
              )}
            </Row>
          );
        })}
      </Rows>
      {open && (
        <OverrideForm
          user={subject}
          entitlements={entitlements}
          features={features}
          onClose={() => setOpen(false)}
          onDone={() => {
            setOpen(false);
            reload();
          }}
        />
      )}
    </Panel>
  );
}
