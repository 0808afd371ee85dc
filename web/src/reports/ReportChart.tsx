import { Text } from '@mantine/core';
import { useCallback, useMemo, useState } from 'react';

import { figure } from '../format/number';
import { Chart, type Line } from '../ui/Chart';
import { isAdditive } from './draft';
import { colorOf, type Column, drawn, type Frame, sumOf } from './frame';
import type { ReadReport } from './operations';
import classes from './ReportsPage.module.css';
import { aggregateWords, bucketWord, keyWord, tickWord } from './words';

interface Props {
  report: ReadReport;
  frame: Frame;
  kind: 'line' | 'bars' | 'area';
  zone: string;
  height: number;
}

/** A report over time, with the numbers of the bucket under the pointer. */
export function ReportChart({ report, frame, kind, zone, height }: Props) {
  const [hovered, setHovered] = useState<number | null>(null);
  const { step } = report;
  const columns = useMemo(() => drawn(frame.columns), [frame]);
  const times = useMemo(() => frame.times.map((at) => Date.parse(at) / 1000), [frame]);
  // Of a stack the whole is what can be compared.
  const stacked = kind !== 'line' && columns.length > 1 && isAdditive(report.aggregate);
  const lines = useMemo<Line[]>(
    () => [
      ...columns.map((c, i) => ({ color: colorOf(c.key, i), values: stacked ? sumOf(columns.slice(i).map((o) => o.values)) : c.values })),
      ...dashed(columns, stacked),
    ],
    [columns, stacked],
  );
  const spanMs = Date.parse(report.to) - Date.parse(report.from);
  const tick = useCallback((seconds: number) => tickWord(seconds, step, zone, spanMs), [step, zone, spanMs]);
  const at = hovered === null ? undefined : frame.times[hovered];
  const totals = new Map(report.totals.map((t) => [t.key, t]));
  const hidden = frame.columns.length - columns.length;
  return (
    <div data-testid="report-chart">
      <Chart
        label={`${aggregateWords[report.aggregate]} of ${report.metric}, ${frame.times.length} values for each of ${columns.length} series. The table has the numbers.`}
        kind={kind}
        times={times}
        lines={lines}
        stacked={stacked}
        height={height}
        zone={zone}
        tick={tick}
        onHover={setHovered}
      />
      <Text size="xs" c="dimmed" mt="xs" className="bb-numeric" aria-live="polite">
        {at === undefined ? 'In all' : bucketWord(at, step, zone)}
        {columns[0]?.compared && ', dashed: the time compared with'}
        {hidden > 0 && ` · ${hidden} more are in the table`}
      </Text>
      <ul className={classes.legend} aria-label="Series">
        {columns.map((c, i) => {
          const value = at === undefined ? (totals.get(c.key)?.value ?? null) : (c.values[hovered ?? 0] ?? null);
          const compared = at === undefined ? (totals.get(c.key)?.compared ?? null) : (c.compared?.[hovered ?? 0] ?? null);
          return (
            <li key={c.key}>
              <span className={classes.swatch} style={{ background: `var(${colorOf(c.key, i)})` }} aria-hidden />
              <Text size="sm" truncate>
                {keyWord(c.key)}
              </Text>
              <Text size="sm" fw={600} className="bb-numeric">
                {figure(value)}
              </Text>
              {c.compared && (
                <Text size="xs" c="dimmed" className="bb-numeric">
                  before {figure(compared)}
                </Text>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** What is compared with: a line for each column, or of a stack one for all. */
function dashed(columns: Column[], stacked: boolean): Line[] {
  const compared = columns.map((c) => c.compared ?? []);
  if (compared[0]?.length === 0) return [];
  if (stacked) return [{ color: '--bb-chart-text', values: sumOf(compared), dashed: true }];
  return compared.map((values, i) => ({ color: colorOf(columns[i]?.key ?? '', i), values, dashed: true }));
}
