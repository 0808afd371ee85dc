// Places the roles of a graph without cycles: members at the left, what they include further right.

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  /** The upper left corner of each box. */
  places: Map<string, Point>;
  width: number;
  height: number;
}

export const box = { width: 168, height: 46, gapX: 140, gapY: 18, margin: 12 };

/** Layers by the longest path, then some passes that bring each box near those it is tied to. */
export function layout(ids: string[], edges: { from: string; to: string }[]): Layout {
  const known = edges.filter((e) => ids.includes(e.from) && ids.includes(e.to));
  const depth = depths(ids, known);
  const layers: string[][] = [];
  for (const id of ids) (layers[depth.get(id) ?? 0] ??= []).push(id);
  const rows = layers.filter((layer) => layer !== undefined);
  for (let pass = 0; pass < 4; pass++) {
    const order = new Map(rows.flatMap((row) => row.map((id, i) => [id, (i + 0.5) / row.length] as const)));
    for (const row of rows) {
      const pull = new Map(row.map((id) => [id, mean(neighbours(id, known), order) ?? order.get(id) ?? 0]));
      row.sort((a, b) => (pull.get(a) ?? 0) - (pull.get(b) ?? 0));
    }
  }
  const tallest = Math.max(0, ...rows.map((row) => row.length));
  const stepY = box.height + box.gapY;
  const places = new Map<string, Point>();
  rows.forEach((row, column) => {
    const top = ((tallest - row.length) * stepY) / 2;
    row.forEach((id, i) => {
      places.set(id, { x: box.margin + column * (box.width + box.gapX), y: box.margin + top + i * stepY });
    });
  });
  return {
    places,
    width: 2 * box.margin + Math.max(rows.length, 1) * (box.width + box.gapX) - box.gapX,
    height: 2 * box.margin + Math.max(tallest, 1) * stepY - box.gapY,
  };
}

/** How many edges the longest path to each has. Were there a cycle, it would still end. */
function depths(ids: string[], edges: { from: string; to: string }[]): Map<string, number> {
  const depth = new Map(ids.map((id) => [id, 0]));
  for (let round = 0; round < ids.length; round++) {
    let moved = false;
    for (const { from, to } of edges) {
      const next = (depth.get(from) ?? 0) + 1;
      if (next > (depth.get(to) ?? 0) && next < ids.length) {
        depth.set(to, next);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return depth;
}

function neighbours(id: string, edges: { from: string; to: string }[]): string[] {
  return edges.flatMap((e) => (e.from === id ? [e.to] : e.to === id ? [e.from] : []));
}

function mean(ids: string[], order: Map<string, number>): number | null {
  if (ids.length === 0) return null;
  return ids.reduce((sum, id) => sum + (order.get(id) ?? 0), 0) / ids.length;
}
