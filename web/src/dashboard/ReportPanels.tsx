import { Text } from '@mantine/core';
import { useMemo, useState } from 'react';

import { count, minutes } from '../format/number';
import { plural } from '../format/text';
import { clock } from '../format/time';
import type { Channel, Report } from '../live/message';
import { Chart } from '../ui/Chart';
import { Panel } from '../ui/Panel';
import { ChannelBody } from './ChannelBody';
import { series, total } from './figures';

const height = 178;

/** Flights by the minute. */
export function FlightsPanel({ channel }: { channel: Channel | undefined }) {
  return (
    <ReportPanel
      id="flights"
      channel={channel}
      title="Flights per minute"
      kind="bars"
      color="--bb-chart-bars"
      words={(report) => `${plural(total(report).count, 'flight')} by the minute`}
      value={(v) => plural(v ?? 0, 'flight')}
    />
  );
}

/** Mean delay by the minute. */
export function DelayPanel({ channel }: { channel: Channel | undefined }) {
  return (
    <ReportPanel
      id="delay"
      channel={channel}
      title="Mean delay by minute"
      kind="area"
      color="--bb-chart-line"
      words={(report) => `Mean delay ${minutes(total(report).value)} over ${count(report.points.length)} minutes`}
      value={(v) => (v === null ? 'no flights' : minutes(v))}
    />
  );
}

interface Props {
  id: string;
  channel: Channel | undefined;
  title: string;
  kind: 'bars' | 'area';
  color: string;
  /** The chart in words. */
  words: (report: Report) => string;
  /** One value in words. */
  value: (value: number | null) => string;
}

function ReportPanel({ id, channel, title, kind, color, words, value }: Props) {
  const [hovered, setHovered] = useState<number | null>(null);
  const report = channel?.data?.__typename === 'Report' ? channel.data : undefined;
  const { times, values } = useMemo(() => (report ? series(report) : { times: [], values: [] }), [report]);
  const lines = useMemo(() => [{ color, values }], [color, values]);
  const shown = hovered ?? times.length - 1;
  const at = times[shown];
  return (
    <Panel
      title={title}
      data-testid={`panel-${id}`}
      aside={
        at !== undefined && (
          <Text size="sm" className="bb-numeric" c={hovered === null ? 'dimmed' : undefined} style={{ whiteSpace: 'nowrap' }}>
            {clock(at * 1000)} · {value(values[shown] ?? null)}
          </Text>
        )
      }
    >
      <ChannelBody
        channel={channel}
        height={height}
        empty={report && total(report).count === 0}
        emptyTitle="No flights in this window"
        emptyHint="The demo replays them when the server runs with its demo on."
      >
        {report && (
          <Chart label={words(report)} kind={kind} times={times} lines={lines} height={height} onHover={setHovered} />
        )}
      </ChannelBody>
    </Panel>
  );
}
