import { Button, Group, Select, Skeleton, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { type Problem, problemOf } from '../api/problem';
import { useAct } from '../api/useAct';
import { UPDATE_DOCUMENT } from '../documents/operations';
import { useLive } from '../live/useLive';
import { SAVED_REPORTS } from '../reports/operations';
import { useSession } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { ProblemNote } from '../ui/ProblemNote';
import classes from './Board.module.css';
import { BoardTile } from './BoardTile';
import { inOrder, moved, packed } from './grid';
import { type Dashboard, DASHBOARD, type SavedReport, type Tile } from './operations';

/** One dashboard, to look at and to arrange. */
export function Board({ id }: { id: string }) {
  const [{ data, error, fetching }, again] = useQuery({ query: DASHBOARD, variables: { id }, requestPolicy: 'cache-and-network' });
  if (error && !data) return <ProblemNote problem={problemOf(error)} onRetry={again} />;
  if (!data) return <Skeleton h={420} />;
  if (data.node?.__typename !== 'Dashboard') return fetching ? <Skeleton h={420} /> : <Empty title="There is no such dashboard">It was deleted, or your roles do not let you see it.</Empty>;
  return <Tiles board={data.node} reload={() => again({ requestPolicy: 'network-only' })} />;
}

function Tiles({ board, reload }: { board: Dashboard; reload: () => void }) {
  const writes = useSession().viewer.permissions.includes('registry.document.update');
  // What is being arranged; null while it is looked at.
  const [arranged, setArranged] = useState<Tile[] | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);
  const { run, busy } = useAct(UPDATE_DOCUMENT);
  const tiles = arranged ?? inOrder(board.tiles);
  const set = (next: Tile[]) => setArranged(packed(next));
  const live = useTiles(board.tiles);
  const save = async () => {
    const data = tiles.map(({ x, y, w, h, report }) => ({ x, y, w, h, ...(isSaved(report) && { report: report.id }) }));
    if (!(await run({ input: { id: board.document.id, rev: board.document.rev, patch: { tiles: data } } }, setFailure))) return;
    setArranged(null);
    reload();
  };
  return (
    <Stack data-testid="board">
      <Group justify="space-between" gap="sm">
        <Text size="sm" c="dimmed">
          {board.description}
        </Text>
        {writes && !arranged && (
          <Button variant="default" size="compact-sm" onClick={() => setArranged(packed(inOrder(board.tiles)))}>
            Arrange
          </Button>
        )}
        {arranged && (
          <Group gap="xs">
            <AddTile onAdd={(report) => set([...tiles, { x: 0, y: 0, w: 6, h: 4, report }])} />
            <Button variant="default" onClick={() => setArranged(null)}>
              Cancel
            </Button>
            <Button loading={busy} onClick={() => void save()}>
              Save
            </Button>
          </Group>
        )}
      </Group>
      {failure && <ProblemNote problem={failure} />}
      {live.problem && <ProblemNote problem={live.problem} onRetry={live.retry} />}
      {tiles.length === 0 && <Empty title="Nothing is on it yet">Arrange it to add saved reports.</Empty>}
      <div className={classes.grid}>
        {tiles.map((tile, i) => (
          <BoardTile
            key={`${isSaved(tile.report) ? tile.report.id : 'gone'} ${i}`}
            tile={tile}
            channel={isSaved(tile.report) ? live.channels[keyOf(tile.report.id)] : undefined}
            arrange={
              arranged && {
                onMove: (by) => set(moved(tiles, i, by)),
                onSize: (w, h) => set(tiles.with(i, { ...tile, w, h })),
                onRemove: () => set(tiles.filter((_, n) => n !== i)),
              }
            }
          />
        ))}
      </div>
    </Stack>
  );
}

/** Follows the reports of all tiles in one operation. */
function useTiles(tiles: Tile[]) {
  const ids = [...new Set(tiles.flatMap(({ report }) => (isSaved(report) && isLive(report) ? [report.id] : [])))];
  return useLive(ids.map((id) => ({ key: keyOf(id), savedReport: id })));
}

/** The name of a report's channel: its id, without what may not be in a name. */
function keyOf(id: string): string {
  return id.replace(':', '.');
}

export function isSaved(report: Tile['report']): report is SavedReport {
  return report?.__typename === 'SavedReport';
}

/** Whether a report goes on by itself. */
export function isLive(report: SavedReport): boolean {
  return typeof (report.query as { last?: unknown }).last === 'number';
}

function AddTile({ onAdd }: { onAdd: (report: SavedReport) => void }) {
  const [{ data }] = useQuery({ query: SAVED_REPORTS, requestPolicy: 'cache-and-network' });
  const saved = data?.documents.nodes ?? [];
  const add = (id: string | null) => {
    const found = saved.find((d) => d.id === id);
    if (!found) return;
    const { kind, query } = found.data as { kind: string; query: Record<string, unknown> };
    onAdd({ __typename: 'SavedReport', id: found.id, title: found.label, kind, query });
  };
  return (
    <Select aria-label="Add a report" placeholder="Add a report" searchable nothingFoundMessage="None is saved" data={saved.map((d) => ({ value: d.id, label: d.label }))} value={null} onChange={add} />
  );
}
