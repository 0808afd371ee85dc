import { Table, Text } from '@mantine/core';

import { count } from '../format/number';
import { date } from '../format/time';
import type { Line } from './operations';
import { money } from './words';

/** The lines of an invoice, or of one that would be. */
export function Lines({ lines, currency }: { lines: Line[]; currency: string }) {
  return (
    <Table verticalSpacing={6} data-testid="lines">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>What</Table.Th>
          <Table.Th ta="right">Amount</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {lines.map((line, i) => (
          <Table.Tr key={i}>
            <Table.Td>
              <Text size="sm">{line.quantity === 1 ? line.text : `${count(line.quantity)} × ${line.text}`}</Text>
              {line.from && line.to && (
                <Text size="xs" c="dimmed">
                  {date(line.from)} to {date(line.to)}
                </Text>
              )}
            </Table.Td>
            <Table.Td ta="right" className="bb-numeric" style={{ whiteSpace: 'nowrap' }}>
              {money({ amountMinor: line.amountMinor, currency })}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
