/**
 * Computes crop rectangles, in picture pixels. Coordinates can be fractional until `rounded` is
 * called.
 */
import type { Rect, Size } from '../../src/geometry.ts';
import type { Point } from '../zoom.ts';

/** The corners and edges that the user can drag, as compass points. */
export const GRIPS = ['nw', 'n', 'ne', 'e', 'se', 's', 'sw', 'w'] as const;
export type Grip = (typeof GRIPS)[number];

/** The minimum length of a side, unless the picture itself is smaller. */
const LEAST = 16;

/**
 * If the bounds conflict, the upper bound applies, because near an edge there can be less room than
 * the minimum.
 */
const within = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, value));

export function moved(rect: Rect, dx: number, dy: number, { width, height }: Size): Rect {
  return {
    ...rect,
    x: within(rect.x + dx, 0, width - rect.width),
    y: within(rect.y + dy, 0, height - rect.height),
  };
}

/** For one axis, returns the point that stays fixed during a resize, and the available length. */
function axis(start: number, length: number, whole: number, direction: number) {
  if (direction < 0) return { fixed: start + length, room: start + length };
  if (direction > 0) return { fixed: start, room: whole - start };
  const middle = start + length / 2;
  return { fixed: middle, room: 2 * Math.min(middle, whole - middle) };
}

const startOf = (fixed: number, length: number, direction: number): number =>
  direction < 0 ? fixed - length : direction > 0 ? fixed : fixed - length / 2;

/**
 * Returns the rectangle after a corner or an edge was dragged. The opposite corner or edge stays in
 * place. With a fixed ratio, dragging an edge also changes the other dimension, symmetrically about
 * its middle.
 * @param ratio width divided by height; null if the ratio is free
 */
export function resized(
  rect: Rect,
  grip: Grip,
  [dx, dy]: readonly [number, number],
  ratio: number | null,
  size: Size,
): Rect {
  const across = grip.includes('w') ? -1 : grip.includes('e') ? 1 : 0;
  const down = grip.includes('n') ? -1 : grip.includes('s') ? 1 : 0;
  const [horizontal, vertical] = [
    axis(rect.x, rect.width, size.width, across),
    axis(rect.y, rect.height, size.height, down),
  ];
  const [leastWidth, leastHeight] = [Math.min(LEAST, size.width), Math.min(LEAST, size.height)];
  let width = rect.width + across * dx;
  let height = rect.height + down * dy;
  if (ratio === null) {
    width = within(width, leastWidth, across === 0 ? rect.width : horizontal.room);
    height = within(height, leastHeight, down === 0 ? rect.height : vertical.room);
  } else {
    const wanted =
      across === 0 ? height * ratio : down === 0 ? width : Math.max(width, height * ratio);
    const room = Math.min(horizontal.room, vertical.room * ratio);
    width = within(wanted, Math.max(leastWidth, leastHeight * ratio), room);
    height = width / ratio;
  }
  return {
    x: startOf(horizontal.fixed, width, across),
    y: startOf(vertical.fixed, height, down),
    width,
    height,
  };
}

/** Returns the rectangle that is drawn between two points. */
export function drawn(from: Point, to: Point, ratio: number | null, size: Size): Rect {
  const grip = `${to.y < from.y ? 'n' : 's'}${to.x < from.x ? 'w' : 'e'}` as Grip;
  const start = { ...from, width: 0, height: 0 };
  return resized(start, grip, [to.x - from.x, to.y - from.y], ratio, size);
}

/** Changes a rectangle's aspect ratio. Its area and centre stay the same if there is room. */
export function shaped(rect: Rect, ratio: number, size: Size): Rect {
  const wanted = Math.sqrt(rect.width * rect.height * ratio);
  const width = Math.min(wanted, size.width, size.height * ratio);
  const height = width / ratio;
  const x = rect.x + (rect.width - width) / 2;
  const y = rect.y + (rect.height - height) / 2;
  return moved({ x, y, width, height }, 0, 0, size);
}

/** Rounds a rectangle to whole pixels within the picture. */
export function rounded(rect: Rect, size: Size): Rect {
  const width = within(Math.round(rect.width), 1, size.width);
  const height = within(Math.round(rect.height), 1, size.height);
  return {
    x: within(Math.round(rect.x), 0, size.width - width),
    y: within(Math.round(rect.y), 0, size.height - height),
    width,
    height,
  };
}
