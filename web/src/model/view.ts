/** Where a picture lies in its window, and how large. */
export interface View {
  x: number;
  y: number;
  scale: number;
}

export interface Size {
  width: number;
  height: number;
}

const least = 0.05;
const most = 4;

/** The whole picture in the middle of the window, at its own size at most. */
export function fitted(picture: Size, frame: Size): View {
  const scale = Math.min(1, Math.max(least, Math.min(frame.width / picture.width, frame.height / picture.height)));
  return { x: (frame.width - picture.width * scale) / 2, y: Math.max(0, (frame.height - picture.height * scale) / 2), scale };
}

/** Larger or smaller by a factor, while what is at the point stays there. */
export function zoomed(view: View, factor: number, at: { x: number; y: number }): View {
  const scale = Math.min(most, Math.max(least, view.scale * factor));
  const by = scale / view.scale;
  return { x: at.x - (at.x - view.x) * by, y: at.y - (at.y - view.y) * by, scale };
}

/** Moved, but never so far that nothing of the picture is left to take hold of. */
export function moved(view: View, dx: number, dy: number, picture: Size, frame: Size): View {
  const hold = 40;
  const keep = (at: number, size: number, room: number) => Math.min(room - hold, Math.max(hold - size * view.scale, at));
  return {
    x: keep(view.x + dx, picture.width, frame.width),
    y: keep(view.y + dy, picture.height, frame.height),
    scale: view.scale,
  };
}
