import { Button } from '@mantine/core';
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react';

import classes from './Picture.module.css';
import { fitted, moved, type Size, type View, zoomed } from './view';

const step = 60;
const factor = 1.25;

interface Props {
  svg: string;
  alt: string;
}

/**
 * A picture to move about in: by dragging, by the wheel, by keys and by buttons. It is shown as an image, in which no script
 * of the picture could run.
 */
export function Picture({ svg, alt }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size | null>(null);
  const [view, setView] = useState<View>({ x: 0, y: 0, scale: 1 });
  const room = (): Size => ({ width: frame.current?.clientWidth ?? 1, height: frame.current?.clientHeight ?? 1 });
  const zoom = (by: number) => setView((v) => zoomed(v, by, { x: room().width / 2, y: room().height / 2 }));
  const move = (dx: number, dy: number) => size && setView((v) => moved(v, dx, dy, size, room()));
  const fit = () => size && setView(fitted(size, room()));

  // React listens to wheels passively, and the page would scroll along.
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      const by = Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) / 500);
      setView((v) => zoomed(v, by, { x: event.clientX - left, y: event.clientY - top }));
    };
    element.addEventListener('wheel', turn, { passive: false });
    return () => element.removeEventListener('wheel', turn);
  }, []);

  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.currentTarget.hasPointerCapture(event.pointerId)) move(event.movementX, event.movementY);
  };
  const press = (event: KeyboardEvent) => {
    const act: Record<string, () => void> = {
      ArrowLeft: () => move(step, 0),
      ArrowRight: () => move(-step, 0),
      ArrowUp: () => move(0, step),
      ArrowDown: () => move(0, -step),
      '+': () => zoom(factor),
      '-': () => zoom(1 / factor),
      '0': fit,
    };
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey || !act[event.key]) return;
    event.preventDefault();
    act[event.key]?.();
  };
  return (
    <div
      ref={frame}
      className={classes.frame}
      role="group"
      tabIndex={0}
      aria-label={`${alt}; arrows move it, + and - change its size, 0 shows all of it`}
      data-testid="picture"
      onPointerDown={(event) => {
        if (event.button === 0 && !(event.target as Element).closest('button')) event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={drag}
      onKeyDown={press}
    >
      <img
        className={classes.picture}
        src={`data:image/svg+xml,${encodeURIComponent(svg)}`}
        alt={alt}
        draggable={false}
        // Not scaled by a transform: the picture is drawn anew at each size, and stays sharp.
        style={{ width: size ? size.width * view.scale : undefined, transform: `translate(${view.x}px, ${view.y}px)` }}
        onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => {
          if (size?.width === width && size.height === height) return;
          setSize({ width, height });
          setView(fitted({ width, height }, room()));
        }}
      />
      <Button.Group className={classes.buttons}>
        <Button size="compact-sm" variant="default" aria-label="Smaller" onClick={() => zoom(1 / factor)}>
          −
        </Button>
        <Button size="compact-sm" variant="default" onClick={fit}>
          Fit
        </Button>
        <Button size="compact-sm" variant="default" aria-label="Larger" onClick={() => zoom(factor)}>
          +
        </Button>
      </Button.Group>
    </div>
  );
}
