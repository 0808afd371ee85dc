import 'uplot/dist/uPlot.min.css';

import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';

import { clock } from '../format/time';

interface Props {
  /** Says in words what the chart shows, for those who do not see it. */
  label: string;
  kind: 'bars' | 'line';
  /** A custom property of the theme. */
  color: string;
  /** Seconds since 1970, ascending and evenly apart. */
  times: number[];
  values: (number | null)[];
  height: number;
  /** Told of the bucket under the pointer, or null when the pointer left. */
  onHover: (index: number | null) => void;
}

/** A time series. uPlot draws on a canvas and knows nothing of React: made once, then fed. Kind, colour and height are for good. */
export function Chart({ label, kind, color, times, values, height, onHover }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const hover = useRef(onHover);
  const scheme = useComputedColorScheme('light');

  useEffect(() => {
    hover.current = onHover;
  }, [onHover]);

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const made = new uPlot(options(kind, color, height, (i) => hover.current(i)), [[], []], element);
    plot.current = made;
    const resized = new ResizeObserver(([entry]) => {
      if (entry) made.setSize({ width: Math.floor(entry.contentRect.width), height });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
    };
  }, [kind, color, height]);

  useEffect(() => {
    plot.current?.setData([times, values]);
  }, [times, values]);

  useEffect(() => {
    // The colours are read while drawing.
    plot.current?.redraw(false);
  }, [scheme]);

  return <div ref={host} role="img" aria-label={label} style={{ height }} />;
}

function options(kind: Props['kind'], color: string, height: number, onHover: Props['onHover']): uPlot.Options {
  // Read at each drawing: the colours change with the scheme.
  const stroke = () => themed(color);
  const axis: uPlot.Axis = {
    stroke: () => themed('--bb-chart-text'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: () => themed('--bb-chart-grid'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: 0,
    height,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: kind === 'line', size: 7 } },
    scales: {
      x: { range: (u) => bounds(u.data[0]) },
      y: { range: (_, min, max) => [Math.min(min * 1.15, 0), Math.max(max * 1.08, 1)] },
    },
    axes: [
      { ...axis, space: 64, size: 24, grid: { show: false }, values: (_, at) => at.map((s) => clock(s * 1000)) },
      { ...axis, space: 32, size: 38 },
    ],
    series: [
      {},
      kind === 'bars'
        ? { stroke, fill: stroke, width: 0, paths: bars(), points: { show: false } }
        : { stroke, fill: () => `${themed(color)}1f`, width: 2, points: { show: false } },
    ],
    hooks: { setCursor: [(u) => onHover(u.cursor.idx ?? null)] },
  };
}

function bars(): uPlot.Series.PathBuilder {
  if (!uPlot.paths.bars) throw new Error('uPlot without bars');
  return uPlot.paths.bars({ size: [0.72, 28], radius: 0.25 });
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
