import { Text } from '@mantine/core';

import { useAct } from '../api/useAct';
import { ago, date } from '../format/time';
import { ConfirmButton } from '../ui/ConfirmButton';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { useNow } from '../ui/useNow';
import { type Device, FORGET_DEVICE } from './operations';

/** Browsers and apps the user has signed in from, and which of them are asked for less. */
export function DevicesPanel({ devices, reload }: { devices: Device[]; reload: () => void }) {
  return (
    <Panel title="Known devices" hint="A trusted one is not asked for the second factor" data-testid="panel-devices">
      {devices.length === 0 && (
        <Text size="sm" c="dimmed">
          None yet
        </Text>
      )}
      <Rows label="Known devices">
        {devices.map((device) => (
          <DeviceRow key={device.id} device={device} reload={reload} />
        ))}
      </Rows>
    </Panel>
  );
}

function DeviceRow({ device, reload }: { device: Device; reload: () => void }) {
  const { run, busy, failure } = useAct(FORGET_DEVICE);
  const now = useNow(30_000);
  const name = device.client || 'Unknown device';
  const { trustedUntil } = device;
  const trusted = trustedUntil && Date.parse(trustedUntil) > now ? `trusted until ${date(trustedUntil)}` : null;
  const forget = async () => {
    if (await run({ input: { device: device.id } })) reload();
  };
  return (
    <Row
      title={name}
      detail={
        <>
          {[`last seen ${ago(device.lastSeenAt, now)}`, trusted].filter(Boolean).join(' · ')}
          {failure && <ProblemNote problem={failure} mt="xs" />}
        </>
      }
      data-testid="device"
    >
      <ConfirmButton
        label="Forget"
        aria-label={`Forget ${name}`}
        question={`Forget ${name}? The next sign-in from it wants every factor. Who is signed in there stays so.`}
        loading={busy}
        onConfirm={() => void forget()}
      />
    </Row>
  );
}
