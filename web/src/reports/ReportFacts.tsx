import { Text } from '@mantine/core';

import { clockSeconds } from '../format/time';
import type { ReadReport } from './operations';
import { bucketWord, factsOf } from './words';

/** Where the numbers come from, how good they are, and up to when they reach. */
export function ReportFacts({ report, zone }: { report: ReadReport; zone: string }) {
  const range = `${bucketWord(report.from, report.step, zone)} up to ${bucketWord(report.to, report.step, zone)}, ${zone}`;
  const through = report.through && `Events up to ${clockSeconds(report.through)} are in it`;
  return (
    <Text size="xs" c="dimmed" mt="sm" className="bb-numeric" data-testid="report-facts" data-source={report.source} data-exact={report.exact}>
      {[range, ...factsOf(report), through].filter(Boolean).join(' · ')}
    </Text>
  );
}
