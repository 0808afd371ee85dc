import { Text } from '@mantine/core';

import { count } from '../format/number';
import classes from './Bars.module.css';

/** Counts side by side, longest first. */
export function Bars({ items }: { items: { key: string; count: number }[] }) {
  const most = Math.max(...items.map((i) => i.count), 1);
  return (
    <ol className={classes.list}>
      {items.map((item) => (
        <li key={item.key} className={classes.row}>
          <Text size="sm" fw={500} className="bb-numeric" truncate>
            {item.key}
          </Text>
          <div className={classes.track}>
            <div className={classes.bar} style={{ width: `${(item.count / most) * 100}%` }} />
          </div>
          <Text size="sm" c="dimmed" ta="right" className="bb-numeric">
            {count(item.count)}
          </Text>
        </li>
      ))}
    </ol>
  );
}
