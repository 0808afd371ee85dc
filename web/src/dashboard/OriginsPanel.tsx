import type { Channel } from '../live/message';
import { Bars } from '../ui/Bars';
import { Panel } from '../ui/Panel';
import { ChannelBody } from './ChannelBody';

/** Airports by departures. */
export function OriginsPanel({ channel }: { channel: Channel | undefined }) {
  const report = channel?.data?.__typename === 'Report' ? channel.data : undefined;
  const ranks = report?.totals ?? [];
  return (
    <Panel title="Top origins" hint="Departures in the window" data-testid="panel-origins">
      <ChannelBody
        channel={channel}
        height={420}
        empty={ranks.length === 0}
        emptyTitle="No departures yet"
        emptyHint="Airports appear with the first flights."
      >
        <Bars items={ranks} />
      </ChannelBody>
    </Panel>
  );
}
