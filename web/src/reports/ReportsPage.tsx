import { Skeleton, Stack, Text, Title } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, replace, useSearch } from '../app/router';
import { useSession } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { NoAccess } from '../ui/NoAccess';
import { ProblemNote } from '../ui/ProblemNote';
import { Controls } from './Controls';
import { type Draft, inputOf, newDraft, parseDraft, withMetric, writeDraft } from './draft';
import { type Metric, METRICS, SAVED_REPORTS, type SavedDocument } from './operations';
import { ReportCard } from './ReportCard';
import classes from './ReportsPage.module.css';
import { draftOf, kindOf } from './saved';
import { SavedBar } from './SavedBar';

/** The report builder. */
export default function ReportsPage() {
  const reads = useSession().viewer.permissions.includes('registry.document.read');
  const [{ data, error }, again] = useQuery({ query: METRICS, requestPolicy: 'cache-and-network' });
  const [kept] = useQuery({ query: SAVED_REPORTS, pause: !reads, requestPolicy: 'cache-and-network' });
  if (error && !data) {
    const failure = problemOf(error);
    if (failure.code !== 'FORBIDDEN') return <ProblemNote problem={failure} onRetry={again} m="lg" />;
    return <NoAccess title="Reports are closed to you">Your roles do not let you see the numbers of any metric.</NoAccess>;
  }
  if (!data || (reads && !kept.data && !kept.error)) return <Skeleton h={420} mt="lg" />;
  const [first] = data.metrics;
  const saved = ((kept.data?.documents.nodes ?? []) as SavedDocument[]).filter((d) => kindOf(d.data.kind));
  return (
    <Stack data-testid="reports">
      <div>
        <Title order={1} fz="h2">
          Reports
        </Title>
        <Text size="sm" c="dimmed">
          Events as numbers over time. A report of the last hours or days goes on by itself.
        </Text>
      </div>
      {first ? (
        <Builder metrics={data.metrics} first={first} saved={reads ? saved : null} />
      ) : (
        <Empty title="There are no metrics yet">A metric says which events are counted. Whoever manages metrics can define one.</Empty>
      )}
    </Stack>
  );
}

interface BuilderProps {
  metrics: Metric[];
  first: Metric;
  /** Null for who may not see any. */
  saved: SavedDocument[] | null;
}

function Builder({ metrics, first, saved }: BuilderProps) {
  const search = useSearch();
  const [fresh] = useState(() => newDraft(first.key, Date.now()));
  const [opened, setOpened] = useState(search.get('saved'));
  const [draft, setDraft] = useState(() => {
    const kept = saved?.find((d) => d.id === opened);
    return parseDraft(search.get('q'), kept ? draftOf(kept.data, fresh) : fresh);
  });
  const metric = metrics.find((m) => m.key === draft.metric) ?? first;
  const valid = metric.key === draft.metric ? draft : withMetric(draft, metric);
  // While somebody types, each letter would be a question to the server.
  const [settled] = useDebouncedValue(valid, 300);
  const written = writeDraft(settled, fresh);
  useEffect(() => replace(href('/reports', { saved: opened, q: written === '{}' ? null : written })), [opened, written]);
  const set = (next: Partial<Draft>) => setDraft({ ...valid, ...next });
  const open = (id: string | null) => {
    setOpened(id);
    const kept = saved?.find((d) => d.id === id);
    if (kept) setDraft(draftOf(kept.data, fresh));
  };
  return (
    <>
      {saved && <SavedBar saved={saved} opened={opened} draft={settled} fresh={fresh} onOpen={open} />}
      <div className={classes.builder}>
        <Controls
          draft={valid}
          metrics={metrics}
          metric={metric}
          onSet={set}
          onMetric={(key) => setDraft(withMetric(valid, metrics.find((m) => m.key === key) ?? first))}
        />
        <ReportCard draft={{ ...settled, kind: draft.kind }} input={inputOf(settled)} onKind={(kind) => set({ kind })} />
      </div>
    </>
  );
}
