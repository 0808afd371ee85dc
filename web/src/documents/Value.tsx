import { Code, Text } from '@mantine/core';

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 6 });

/** One value of a document's data. */
export function Value({ value }: { value: unknown }) {
  if (value === undefined || value === null || value === '') {
    return (
      <Text span c="dimmed" size="sm">
        –
      </Text>
    );
  }
  if (typeof value === 'number') return <span className="bb-numeric">{number.format(value)}</span>;
  if (typeof value === 'boolean') return value ? 'Yes' : 'No';
  if (typeof value === 'string') return value;
  return <Code block>{JSON.stringify(value, null, 2)}</Code>;
}
