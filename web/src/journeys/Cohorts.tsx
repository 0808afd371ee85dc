import { Table, Text, UnstyledButton } from '@mantine/core';
import { type CSSProperties, useState } from 'react';

import { count, percent } from '../format/number';
import { date } from '../format/time';
import { Behind } from './Behind';
import classes from './Journeys.module.css';
import type { BehindInput, Retention, RetentionInput } from './operations';

/** A row for each cohort: the darker the more came back. */
export function Cohorts({ retention, input }: { retention: Retention; input: RetentionInput }) {
  const [behind, setBehind] = useState<{ title: string; input: BehindInput } | null>(null);
  const most = Math.max(0, ...retention.cohorts.map((c) => c.cells.length));
  return (
    <>
      <Table.ScrollContainer minWidth={80 * (most + 2)} type="native">
        <Table className={`${classes.heat} bb-numeric`} verticalSpacing={6} horizontalSpacing={6} withRowBorders={false} data-testid="cohorts">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Began</Table.Th>
              <Table.Th scope="col">How many</Table.Th>
              {Array.from({ length: most }, (_, i) => (
                <Table.Th key={i} scope="col">
                  {i === 0 ? 'same' : `+${i}`}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {retention.cohorts.map((c) => (
              <Table.Tr key={c.at}>
                <Table.Th scope="row" fw={500}>
                  {date(c.at)}
                </Table.Th>
                <Table.Td>{count(c.size)}</Table.Td>
                {c.cells.map((cell) => (
                  <Table.Td key={cell.period} className={classes.cell} style={{ '--share': cell.share } as CSSProperties}>
                    <UnstyledButton
                      fz="sm"
                      className={cell.complete ? undefined : classes.open}
                      disabled={cell.count === 0}
                      aria-label={`${percent(cell.share)}, ${cell.count} of ${c.size}, ${cell.period} later${cell.complete ? '' : ', not over yet'}`}
                      onClick={() =>
                        setBehind({
                          title: `Began ${date(c.at)}, came back ${cell.period} later`,
                          input: { retention: { retention: input, cohort: c.at, period: cell.period } },
                        })
                      }
                    >
                      {c.size === 0 ? '' : percent(cell.share)}
                    </UnstyledButton>
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="xs" c="dimmed" mt="xs">
        A period in italics is not over yet. A number leads to who is behind it.
      </Text>
      {behind && <Behind {...behind} onClose={() => setBehind(null)} />}
    </>
  );
}
