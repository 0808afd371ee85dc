import { Anchor, Button, Group, Skeleton, Text } from '@mantine/core';
import { Fragment, type ReactNode, useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { sentence } from '../format/text';
import { dateTime } from '../format/time';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { Row, Rows } from '../ui/Rows';
import { LEDGER, type LedgerEntry } from './operations';
import { money } from './words';

interface Props {
  /** Whose; null for one's own. */
  user: string | null;
  /** Of the membership: the ledger is read anew with each. */
  version: number;
  /** What can be done with an entry. */
  actions?: (entry: LedgerEntry) => ReactNode;
}

const pageSize = 10;
// An empty ledger names no type by itself, but a payment must refresh it.
const listed = { additionalTypenames: ['Membership', 'LedgerEntry'] };

/** Invoices, payments and what was given back, the newest first. */
export function LedgerPanel({ user, version, actions }: Props) {
  const [page, setPage] = useState<{ after?: string; before?: string }>({});
  const [{ data, error }, again] = useQuery({
    query: LEDGER,
    variables: page.before ? { user, last: pageSize, before: page.before } : { user, first: pageSize, after: page.after ?? null },
    requestPolicy: 'cache-and-network',
    context: listed,
  });
  const known = useRef(version);
  useEffect(() => {
    if (known.current === version) return;
    known.current = version;
    again({ requestPolicy: 'network-only' });
  }, [version, again]);
  const info = data?.ledger.pageInfo;
  return (
    <Panel title="Ledger" hint="Invoices and payments, the newest first" data-testid="panel-ledger">
      {error && !data && <ProblemNote problem={problemOf(error)} onRetry={again} />}
      {!error && !data && <Skeleton h={120} />}
      {data?.ledger.nodes.length === 0 && <Empty title="Nothing was charged yet" />}
      <Rows label="Ledger">
        {data?.ledger.nodes.map((entry) => (
          <Row key={entry.id} title={<Title entry={entry} />} detail={<Detail entry={entry} />} data-testid="ledger-entry">
            {entry.invoicePath && <Invoice path={entry.invoicePath} number={entry.number ?? ''} />}
            {actions?.(entry)}
          </Row>
        ))}
      </Rows>
      {(info?.hasPreviousPage || info?.hasNextPage) && (
        <Group justify="flex-end" gap="xs" mt="sm">
          <Button
            size="xs"
            variant="default"
            leftSection={<Icon name="back" size={14} />}
            disabled={!info.hasPreviousPage}
            onClick={() => setPage({ before: info.startCursor ?? '' })}
          >
            Newer
          </Button>
          <Button
            size="xs"
            variant="default"
            rightSection={<Icon name="forward" size={14} />}
            disabled={!info.hasNextPage}
            onClick={() => setPage({ after: info.endCursor ?? '' })}
          >
            Older
          </Button>
        </Group>
      )}
    </Panel>
  );
}

const kinds: Record<LedgerEntry['kind'], string> = { CHARGE: 'Invoice', PAYMENT: 'Payment', REFUND: 'Given back', WAIVER: 'Waived' };

function Title({ entry }: { entry: LedgerEntry }) {
  return (
    <Group gap={8} component="span">
      <span>{entry.number ? `${kinds[entry.kind]} ${entry.number}` : kinds[entry.kind]}</span>
      <Text span fw={650} size="sm" className="bb-numeric">
        {money(entry.amount)}
      </Text>
    </Group>
  );
}

function Detail({ entry }: { entry: LedgerEntry }) {
  const { currency } = entry.amount;
  return (
    <>
      {dateTime(entry.at)} · balance {money({ amountMinor: entry.balanceMinor, currency })}
      {entry.reason && ` · ${sentence(entry.reason)}`}
      {entry.lines.map((line, i) => (
        <Fragment key={i}>
          <br />
          {line.text}: {money({ amountMinor: line.amountMinor, currency })}
        </Fragment>
      ))}
    </>
  );
}

/** The invoice as a page, and as a document. Both are of the server, not of the console. */
function Invoice({ path, number }: { path: string; number: string }) {
  return (
    <>
      <Anchor href={path} target="_blank" size="sm" aria-label={`Invoice ${number}`}>
        Invoice
      </Anchor>
      <Anchor href={path.replace(/\.html$/, '.pdf')} target="_blank" size="sm" aria-label={`Invoice ${number} as PDF`}>
        PDF
      </Anchor>
    </>
  );
}
