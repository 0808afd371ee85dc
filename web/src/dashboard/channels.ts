import type { ChannelInput } from '../live/message';

/** What the dashboard follows: all of it in one operation. */
export function dashboardChannels(lastMinutes: number): ChannelInput[] {
  const window = { step: 'MINUTE' as const, last: lastMinutes };
  return [
    { key: 'flights', report: { metric: 'flights.count', aggregate: 'COUNT', fill: 'ZERO', ...window } },
    { key: 'delay', report: { metric: 'flights.delay', aggregate: 'AVG', fill: 'NULL', ...window } },
    { key: 'origins', report: { metric: 'flights.count', aggregate: 'COUNT', by: 'origin', top: 10, ...window } },
    { key: 'note', documents: { type: 'note', first: 7 } },
    { key: 'movie', documents: { type: 'movie', first: 7 } },
  ];
}
