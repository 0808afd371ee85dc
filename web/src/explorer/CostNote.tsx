import { Text } from '@mantine/core';
import { tryParseJSONC, useGraphiQL } from '@graphiql/react';
import { useEffect, useState } from 'react';

import { type Priced, price, wayOf } from './cost';

/** How long the editors must be at rest. */
const restMs = 400;

/** What the operation being written would cost whoever asks. */
export function CostNote({ ask }: { ask: typeof fetch }) {
  const tab = useGraphiQL((s) => s.tabs[s.activeTabIndex]?.id);
  return <CostOfTab key={tab} ask={ask} />; // the cost of one is not shown beside another
}

function CostOfTab({ ask }: { ask: typeof fetch }) {
  const query = useGraphiQL((s) => s.tabs[s.activeTabIndex]?.query ?? '');
  const variables = useGraphiQL((s) => s.tabs[s.activeTabIndex]?.variables ?? '');
  const operationName = useGraphiQL((s) => s.operationName ?? null);
  const [priced, setPriced] = useState<Priced | null>(null);
  useEffect(() => {
    const stale = new AbortController();
    const timer = setTimeout(() => {
      price({ query, variables, operationName }, tryParseJSONC, ask, stale.signal)
        .catch(() => null) // offline: the next run says so
        .then((told) => stale.signal.aborted || setPriced(told));
    }, restMs);
    return () => {
      clearTimeout(timer);
      stale.abort();
    };
  }, [query, variables, operationName, ask]);
  return (
    <Text size="xs" px="md" py={6} data-testid="cost" c={dear(priced) ? 'red' : 'dimmed'} aria-live="polite">
      {priced ? told(priced) : 'Cost: not known while the operation is not complete'}
    </Text>
  );
}

const number = (n: number) => n.toLocaleString('en');

function told(priced: Priced): string {
  if ('refusal' in priced) {
    const { code, cost, limit } = priced.refusal;
    return `Would be refused: ${code}${cost && limit ? `, ${number(cost)} of ${number(limit)}` : ''}`;
  }
  const { requested, allowed, remaining, dearest } = priced.cost;
  const way = wayOf(dearest);
  const left = remaining === undefined ? '' : `, ${number(remaining)} left of this minute`;
  return `Cost ${number(requested)} of ${number(allowed)}${left}${way && `, most of it in ${way}`}`;
}

function dear(priced: Priced | null): boolean {
  if (!priced) return false;
  return 'refusal' in priced || priced.cost.requested > (priced.cost.remaining ?? Number.POSITIVE_INFINITY);
}
