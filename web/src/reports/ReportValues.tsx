import { Text } from '@mantine/core';

import { figure } from '../format/number';
import { plural } from '../format/text';
import type { ReadReport } from './operations';
import classes from './ReportsPage.module.css';
import { change, keyWord } from './words';

/** The totals of a report, large. */
export function ReportValues({ report }: { report: ReadReport }) {
  return (
    <div className={classes.values} data-testid="report-values">
      {report.totals.map((t) => {
        const differs = change(t.value, t.compared);
        return (
          <div key={t.key}>
            {t.key !== '' && (
              <Text size="sm" c="dimmed" fw={500} truncate>
                {keyWord(t.key)}
              </Text>
            )}
            <Text className={`${classes.value} bb-numeric`}>{figure(t.value)}</Text>
            <Text size="xs" c="dimmed" className="bb-numeric">
              {plural(t.count, 'event')}
              {differs && ` · ${differs} against ${figure(t.compared)}`}
            </Text>
          </div>
        );
      })}
    </div>
  );
}
