import { Button } from '@mantine/core';

import { useAct } from '../api/useAct';
import { clock } from '../format/time';
import { STOP_IMPERSONATING } from '../session/operations';
import { useVisit } from '../session/viewer';
import { ProblemNote } from '../ui/ProblemNote';
import { Banner } from './Banner';

/** Says who acts as whom, why and until when, for as long as it lasts; nothing otherwise. */
export function ImpersonationBanner() {
  const { viewer, changed } = useVisit();
  const { run, busy, failure } = useAct(STOP_IMPERSONATING);
  const acting = viewer?.impersonatedBy;
  if (!acting) return null;
  const stop = async () => {
    if (await run({})) changed('/people');
  };
  return (
    <Banner
      kind="impersonation"
      label="Acting as somebody else"
      text={
        <>
          <strong>
            {acting.by.name} acts as {viewer.user.name}
          </strong>
          {acting.readOnly ? ', looking only,' : ', and may change things,'} until {clock(acting.expiresAt)}. Why: {acting.reason}
          {failure && <ProblemNote problem={failure} mt={6} />}
        </>
      }
    >
      <Button size="compact-sm" variant="default" loading={busy} onClick={() => void stop()}>
        Be yourself again
      </Button>
    </Banner>
  );
}
