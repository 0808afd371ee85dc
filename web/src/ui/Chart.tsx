import 'uplot/dist/uPlot.min.css';

import { useComputedColorScheme } from '@mantine/core';
import { type KeyboardEvent, useEffect, useRef } from 'react';
import uPlot from 'uplot';

import { clock } from '../format/time';
import { compact } from '../format/number';

/** One series. An array of them that stays the same is drawn once. */
export interface Line {
  /** A custom property of the theme. */
  color: string;
  /** One for each time. */
  values: (number | null)[];
  /** Beside the others, and only to compare them with. */
  dashed?: boolean;
}

interface Props {
  /** Says in words what the chart shows, for those who do not see it. */
  label: string;
  kind: 'bars' | 'line' | 'area';
  /** Seconds since 1970, ascending. */
  times: number[];
  lines: Line[];
  /** Bars and areas stand behind one another: each value is the sum of it and those after it. */
  stacked?: boolean;
  height: number;
  /** Whose days the axis shows, an IANA name; the reader's if left out. */
  zone?: string | undefined;
  /** A time of the axis, in words: the minute unless given. */
  tick?: (seconds: number) => string;
  /** Told of the bucket under the pointer, or null when the pointer left. */
  onHover: (index: number | null) => void;
}

const minute = (seconds: number) => clock(seconds * 1000);

/** Series over time. uPlot draws on a canvas and knows nothing of React: made once for as many series of a kind, then fed. */
export function Chart({ label, kind, times, lines, stacked = false, height, zone, tick = minute, onHover }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const told = useRef({ onHover, tick });
  const scheme = useComputedColorScheme('light');
  const look = JSON.stringify(lines.map(({ color, dashed = false }) => ({ color, dashed })));

  useEffect(() => {
    told.current = { onHover, tick };
  }, [onHover, tick]);

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const looks = JSON.parse(look) as Look[];
    const made = new uPlot(options({ kind, stacked, height, zone }, looks, told), [[], ...looks.map(() => [])], element);
    plot.current = made;
    const resized = new ResizeObserver(([entry]) => {
      if (entry) made.setSize({ width: Math.floor(entry.contentRect.width), height });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [kind, look, stacked, height, zone]);

  useEffect(() => {
    plot.current?.setData([times, ...lines.map((l) => l.values)]);
  }, [times, lines, kind, stacked, height, zone]);

  useEffect(() => {
    // The colours are read while drawing.
    plot.current?.redraw(false);
  }, [scheme]);

  const step = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !plot.current || times.length === 0) return;
    event.preventDefault();
    const at = Math.min(Math.max((plot.current.cursor.idx ?? times.length) + by, 0), times.length - 1);
    plot.current.setCursor({ left: plot.current.valToPos(times[at] ?? 0, 'x'), top: 0 });
  };
  return <div ref={host} role="img" aria-label={label} tabIndex={0} style={{ height }} onKeyDown={step} onBlur={() => onHover(null)} />;
}

interface Look {
  color: string;
  dashed: boolean;
}

type Shape = Pick<Props, 'kind' | 'stacked' | 'height' | 'zone'>;

function options({ kind, stacked, height, zone }: Shape, looks: Look[], told: { current: Pick<Required<Props>, 'onHover' | 'tick'> }): uPlot.Options {
  const axis: uPlot.Axis = {
    // Read at each drawing: the colours change with the scheme.
    stroke: () => themed('--bb-chart-text'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: () => themed('--bb-chart-grid'), width: 1 },
    ticks: { show: false },
  };
  const beside = stacked ? 1 : looks.filter((l) => !l.dashed).length;
  return {
    width: 0,
    height,
    ...(zone && { tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone) }),
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: kind !== 'bars', size: 7 } },
    scales: {
      x: { range: (u) => bounds(u.data[0]) },
      // Of nothing but empty buckets uPlot knows no extremes.
      y: { range: (_, min, max) => [Math.min((min ?? 0) * 1.15, 0), (max ?? 0) > 0 ? max * 1.08 : 1] },
    },
    axes: [
      { ...axis, space: 72, size: 24, grid: { show: false }, values: (_, at) => at.map((s) => told.current.tick(s)) },
      { ...axis, space: 32, size: 44, values: (_, at) => at.map(compact) },
    ],
    series: [{}, ...looks.map((look, i) => (kind === 'bars' && !look.dashed ? bar(look, stacked ? 0 : i, beside) : line(look, kind === 'area' ? (stacked ? 'd0' : '1f') : null)))],
    hooks: { setCursor: [(u) => told.current.onHover(u.cursor.idx ?? null)] },
  };
}

/** alpha: of what is under the line, two hexadecimal digits; null for nothing. */
function line({ color, dashed }: Look, alpha: string | null): uPlot.Series {
  const stroke = () => themed(color);
  if (dashed) return { stroke, width: 1.5, dash: [5, 5], points: { show: false } };
  return { stroke, width: 2, points: { size: 5 }, ...(alpha && { fill: () => `${themed(color)}${alpha}` }) };
}

/** The i-th of so many bars of each bucket, side by side. */
function bar({ color }: Look, i: number, of: number): uPlot.Series {
  const paint = () => themed(color);
  return { stroke: paint, fill: paint, width: 0, paths: bars(i, of), points: { show: false } };
}

function bars(i: number, of: number): uPlot.Series.PathBuilder {
  return (u, seriesIdx, first, last) => {
    const path = new Path2D();
    const [times, values] = [u.data[0], u.data[seriesIdx]];
    const bucket = Math.min(...[...times].slice(1).map((t, n) => t - (times[n] ?? 0)), times.length > 1 ? Infinity : 60);
    const group = Math.min((u.valToPos(bucket, 'x', true) - u.valToPos(0, 'x', true)) * 0.72, 28 * of * devicePixelRatio);
    const width = group / of;
    const floor = u.valToPos(0, 'y', true);
    for (let n = first; n <= last; n++) {
      const value = values?.[n];
      if (!value) continue;
      const x = u.valToPos(times[n] ?? 0, 'x', true) - group / 2 + i * width;
      const y = u.valToPos(value, 'y', true);
      path.rect(x, Math.min(y, floor), Math.max(width - (of > 1 ? 1 : 0), 1), Math.abs(floor - y));
    }
    return { stroke: path, fill: path };
  };
}

/** Half a bucket more at both ends, so that the first and the last bar are whole. */
function bounds(times: ArrayLike<number>): [number, number] {
  const first = times[0] ?? 0;
  const last = times[times.length - 1] ?? 1;
  const half = times.length > 1 ? ((times[1] ?? 0) - first) / 2 : 30;
  return [first - half, last + half];
}

function themed(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}
