import { SimpleGrid } from '@mantine/core';

import { count, minutes } from '../format/number';
import { plural } from '../format/text';
import { clock } from '../format/time';
import type { Channel, Report } from '../live/message';
import { Tile } from '../ui/Tile';
import { peak, series, total } from './figures';

interface Props {
  flights: Channel | undefined;
  delay: Channel | undefined;
  origins: Channel | undefined;
}

/** The numbers of the window at a glance. */
export function Tiles({ flights, delay, origins }: Props) {
  const flown = reportOf(flights);
  const late = reportOf(delay);
  const from = reportOf(origins);
  return (
    <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
      <Tile id="flights" label="Flights" value={flown && count(total(flown).count)} at={flown?.through}>
        {flown && `${count(series(flown).values.at(-1) ?? 0)} in this minute`}
      </Tile>
      <Tile id="rate" label="Busiest minute" value={flown && count(peak(flown)?.value ?? 0)} at={flown?.through}>
        {flown && peakTime(flown)}
      </Tile>
      <Tile id="delay" label="Mean delay" value={late && minutes(total(late).value)} at={late?.through}>
        {late && `worst minute ${minutes(peak(late)?.value ?? null)}`}
      </Tile>
      <Tile id="airport" label="Busiest airport" value={from && (from.totals[0]?.key ?? '–')} at={from?.through}>
        {from && plural(total(from).count, 'departure')}
      </Tile>
    </SimpleGrid>
  );
}

function peakTime(report: Report): string {
  const top = peak(report);
  return top ? `flights at ${clock(top.at)}` : 'no flights yet';
}

function reportOf(channel: Channel | undefined): Report | undefined {
  return channel?.data?.__typename === 'Report' ? channel.data : undefined;
}
