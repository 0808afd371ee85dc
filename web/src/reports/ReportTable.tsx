import { Button, Table } from '@mantine/core';
import { Fragment, useState } from 'react';

import { figure } from '../format/number';
import type { Frame } from './frame';
import type { ReadReport } from './operations';
import classes from './ReportsPage.module.css';
import { bucketWord, keyWord, stepWords } from './words';

const shownAtFirst = 100;

/** The numbers of a report, the newest first: the chart for who cannot see it, and for who wants to know exactly. */
export function ReportTable({ report, frame, zone }: { report: ReadReport; frame: Frame; zone: string }) {
  const [all, setAll] = useState(false);
  const { times, columns } = frame;
  const rows = times.map((_, i) => times.length - 1 - i).slice(0, all ? undefined : shownAtFirst);
  const compares = columns.some((c) => c.compared);
  const cell = (value: number | null | undefined) => <Table.Td ta="right">{figure(value ?? null)}</Table.Td>;
  return (
    <>
      <div className={classes.table} tabIndex={0} role="region" aria-label="The numbers of the report">
        <Table className="bb-numeric" verticalSpacing={5} data-testid="report-table">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{stepWords[report.step]}</Table.Th>
              {columns.map((c) => (
                <Table.Th key={c.key} scope="col" ta="right" colSpan={compares ? 2 : 1} style={{ whiteSpace: 'nowrap' }}>
                  {keyWord(c.key)}
                  {compares && ', before'}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            <Table.Tr fw={600}>
              <Table.Th scope="row">In all</Table.Th>
              {report.totals.map((t) => (
                <Fragment key={t.key}>
                  {cell(t.value)}
                  {compares && cell(t.compared)}
                </Fragment>
              ))}
            </Table.Tr>
            {rows.map((i) => (
              <Table.Tr key={times[i]}>
                <Table.Th scope="row" fw={400} style={{ whiteSpace: 'nowrap' }}>
                  {bucketWord(times[i] ?? '', report.step, zone)}
                </Table.Th>
                {columns.map((c) => (
                  <Fragment key={c.key}>
                    {cell(c.values[i])}
                    {compares && cell(c.compared?.[i])}
                  </Fragment>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {rows.length < times.length && (
        <Button size="compact-sm" variant="default" mt="xs" onClick={() => setAll(true)}>
          Show all {times.length}
        </Button>
      )}
    </>
  );
}
