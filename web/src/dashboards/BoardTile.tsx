import { ActionIcon, Anchor, CloseButton, Group, Paper, Select, Skeleton, Text } from '@mantine/core';
import type { CSSProperties } from 'react';
import { useQuery } from 'urql';

import { type Problem, problem, problemOf } from '../api/problem';
import { href, Link } from '../app/router';
import { clockSeconds } from '../format/time';
import type { Channel } from '../live/message';
import type { ReadReport } from '../reports/operations';
import { ReportPicture } from '../reports/ReportPicture';
import { kindOf } from '../reports/saved';
import { Icon } from '../ui/Icon';
import { ProblemNote } from '../ui/ProblemNote';
import { isLive, isSaved } from './Board';
import classes from './Board.module.css';
import { heightOf } from './grid';
import { RUN_SAVED, type SavedReport, type Tile } from './operations';

/** How a tile is arranged. */
interface Arrange {
  onMove: (by: -1 | 1) => void;
  onSize: (w: number, h: number) => void;
  onRemove: () => void;
}

interface Props {
  tile: Tile;
  /** Of a report that goes on by itself. */
  channel: Channel | undefined;
  /** Null while the dashboard is looked at. */
  arrange: Arrange | null;
}

/** One report in its place. */
export function BoardTile({ tile, channel, arrange }: Props) {
  const { x, y, w, h, report } = tile;
  const title = isSaved(report) ? report.title : 'A report that is gone';
  return (
    <Paper withBorder p="sm" className={classes.tile} component="section" aria-label={title} data-testid="board-tile" style={{ '--x': x, '--y': y, '--w': w, '--h': h } as CSSProperties}>
      <Group justify="space-between" wrap="nowrap" gap={6} mb={4}>
        {isSaved(report) ? (
          <Anchor component={Link} href={href('/reports', { saved: report.id })} size="sm" fw={600} truncate>
            {title}
          </Anchor>
        ) : (
          <Text size="sm" c="dimmed" truncate>
            {title}
          </Text>
        )}
        {!arrange && channel?.at && (
          <Text size="xs" c="dimmed" className="bb-numeric" title="Last change">
            {clockSeconds(channel.at)}
          </Text>
        )}
      </Group>
      {arrange && <Handles title={title} tile={tile} {...arrange} />}
      {isSaved(report) && (isLive(report) ? <LiveTile report={report} channel={channel} rows={h} /> : <StillTile report={report} rows={h} />)}
    </Paper>
  );
}

function LiveTile({ report, channel, rows }: { report: SavedReport; channel: Channel | undefined; rows: number }) {
  const failure = channel?.error ? problem(channel.error.code, channel.error.message) : null;
  return <Body report={report} read={channel?.data?.__typename === 'Report' ? channel.data : undefined} failure={failure} rows={rows} />;
}

function StillTile({ report, rows }: { report: SavedReport; rows: number }) {
  const [{ data, error }] = useQuery({ query: RUN_SAVED, variables: { id: report.id }, requestPolicy: 'cache-and-network' });
  const result = data?.savedReport.result;
  return <Body report={report} read={result?.__typename === 'Report' ? result : undefined} failure={error ? problemOf(error) : null} rows={rows} />;
}

interface BodyProps {
  report: SavedReport;
  read: ReadReport | undefined;
  failure: Problem | null;
  rows: number;
}

function Body({ report, read, failure, rows }: BodyProps) {
  // The title, the numbers below a chart and the edges take their part.
  const height = Math.max(heightOf(rows) - 104, 60);
  if (failure) return <ProblemNote problem={failure} />;
  if (!read) return <Skeleton h={height} />;
  const zone = (report.query as { timeZone?: string }).timeZone ?? 'UTC';
  return <ReportPicture report={read} kind={kindOf(report.kind) ?? 'line'} zone={zone} height={height} />;
}

const widths = [3, 4, 6, 8, 12].map((w) => ({ value: String(w), label: `${w} of 12` }));
const heights = [2, 3, 4, 6, 8].map((h) => ({ value: String(h), label: `${h} high` }));

function Handles({ title, tile, onMove, onSize, onRemove }: Arrange & { title: string; tile: Tile }) {
  return (
    <Group gap={4} mb={6}>
      <ActionIcon variant="subtle" color="gray" aria-label={`Move ${title} forward`} onClick={() => onMove(-1)}>
        <Icon name="back" size={16} />
      </ActionIcon>
      <ActionIcon variant="subtle" color="gray" aria-label={`Move ${title} back`} onClick={() => onMove(1)}>
        <Icon name="forward" size={16} />
      </ActionIcon>
      <Select aria-label={`Width of ${title}`} size="xs" w={92} allowDeselect={false} data={widths} value={String(tile.w)} onChange={(v) => onSize(Number(v), tile.h)} />
      <Select aria-label={`Height of ${title}`} size="xs" w={80} allowDeselect={false} data={heights} value={String(tile.h)} onChange={(v) => onSize(tile.w, Number(v))} />
      <CloseButton size="sm" aria-label={`Remove ${title}`} onClick={onRemove} />
    </Group>
  );
}
