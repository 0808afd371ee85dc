import { Center } from '@mantine/core';
import { useMemo } from 'react';

import { Empty } from '../ui/Empty';
import type { Kind } from './draft';
import { frameOf } from './frame';
import type { ReadReport } from './operations';
import { ReportChart } from './ReportChart';
import { ReportTable } from './ReportTable';
import { ReportValues } from './ReportValues';

interface Props {
  report: ReadReport;
  kind: Kind;
  zone: string;
  height?: number;
}

/** A report in the form that somebody chose. */
export function ReportPicture({ report, kind, zone, height = 320 }: Props) {
  const frame = useMemo(() => frameOf(report), [report]);
  if (report.totals.every((t) => t.count === 0) && report.compared.every((p) => p.count === 0)) {
    return (
      <Center mih={height}>
        <Empty title="No events in this time">Another range or another filter may have some.</Empty>
      </Center>
    );
  }
  if (kind === 'value') return <ReportValues report={report} />;
  if (kind === 'table') return <ReportTable report={report} frame={frame} zone={zone} />;
  return <ReportChart report={report} frame={frame} kind={kind} zone={zone} height={height} />;
}
