// Where the tiles of a dashboard stand. Pure.

/** A place in a grid of 12 columns. */
export interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

export const columns = 12;

/** The tiles in the order in which they are read. */
export function inOrder<T extends Place>(tiles: T[]): T[] {
  return tiles.toSorted((a, b) => a.y - b.y || a.x - b.x);
}

/** Puts tiles side by side, in their order, and begins a row when one is full. A row is as high as its highest. */
export function packed<T extends Place>(tiles: T[]): T[] {
  let [x, y, high] = [0, 0, 0];
  return tiles.map((tile) => {
    if (x + tile.w > columns) [x, y, high] = [0, y + high, 0];
    const placed = { ...tile, x, y };
    x += tile.w;
    high = Math.max(high, tile.h);
    return placed;
  });
}

/** Swaps a tile with the one before (-1) or after it (1). */
export function moved<T>(tiles: T[], i: number, by: -1 | 1): T[] {
  const [a, b] = [tiles[i], tiles[i + by]];
  if (a === undefined || b === undefined) return tiles;
  return tiles.with(i, b).with(i + by, a);
}

const rowPx = 76;
const gapPx = 16;

/** How high a tile of so many rows is. */
export function heightOf(rows: number): number {
  return rows * rowPx + (rows - 1) * gapPx;
}
