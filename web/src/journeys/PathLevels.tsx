import { Group, Text } from '@mantine/core';

import { count, percent } from '../format/number';
import { plural } from '../format/text';
import classes from './Journeys.module.css';
import type { Paths } from './operations';
import { placeWord } from './words';

/** The links of each level side by side, as wide as sessions took them. */
export function PathLevels({ paths }: { paths: Paths }) {
  return (
    <>
      <Text size="sm" mb="sm">
        {plural(paths.walks, 'session')} with the event
      </Text>
      <div className={classes.levels} data-testid="paths">
        {paths.levels.map((level) => (
          <section key={level.level} aria-label={`Level ${level.level}`}>
            <Text size="xs" fw={600} c="dimmed" mb="xs">
              {level.level === 1 ? 'Next to it' : `${level.level} steps away`}
            </Text>
            <ol className={classes.links}>
              {level.links.map((l) => (
                <li key={`${l.from} ${l.to}`}>
                  <Group justify="space-between" gap={6} wrap="nowrap" align="flex-start">
                    <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                      {placeWord(l.from)} → <strong>{placeWord(l.to)}</strong>
                    </Text>
                    <Text size="xs" c="dimmed" className="bb-numeric" style={{ whiteSpace: 'nowrap' }}>
                      {count(l.sessions)} · {percent(l.share)}
                    </Text>
                  </Group>
                  <div className={`${classes.track} ${classes.thin}`}>
                    <div className={classes.bar} style={{ width: `${l.share * 100}%` }} />
                  </div>
                </li>
              ))}
            </ol>
            {level.other > 0 && (
              <Text size="xs" c="dimmed" mt="xs">
                {plural(level.other, 'session')} went other ways
              </Text>
            )}
          </section>
        ))}
      </div>
    </>
  );
}
