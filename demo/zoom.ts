/**
 * Computes a picture's view on a stage, without the DOM. Lengths on the stage are in CSS pixels.
 * Lengths in the picture are in pixels of the enlarged picture.
 */
import type { Size } from '../src/geometry.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * The position of the picture. Pixel (u, v) appears at (x + u * scale, y + v * scale) on the stage.
 */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** The number of device pixels per picture pixel at the largest zoom. */
const CLOSEST = 16;
/** At first, small pictures have at most this many device pixels per picture pixel. */
const LARGEST_FIT = 4;
/**
 * `LARGEST_FIT` does not apply if the picture would fill less than this share of the stage along
 * the tighter axis.
 */
const LEAST_SHARE = 0.5;
/**
 * If a fitting scale is at most this factor above a whole number of device pixels, it is rounded
 * down.
 */
const SNAP = 1.12;

/**
 * Returns the scale at which the whole picture is visible. If little space is lost, the scale is a
 * whole number of device pixels per picture pixel. The picture then has no additional blur.
 */
export function fitScale(picture: Size, stage: Size, pixelRatio: number): number {
  const contain = Math.min(stage.width / picture.width, stage.height / picture.height);
  const enough = Math.ceil(contain * pixelRatio * LEAST_SHARE);
  const devicePixels = Math.min(contain * pixelRatio, Math.max(LARGEST_FIT, enough));
  const whole = Math.floor(devicePixels);
  return (whole > 0 && devicePixels <= whole * SNAP ? whole : devicePixels) / pixelRatio;
}

/**
 * Centres a picture that is smaller than the stage. Prevents gaps at the edges of a larger picture.
 */
export function keepInside(view: View, picture: Size, stage: Size): View {
  const place = (offset: number, length: number, room: number): number =>
    length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, offset));
  return {
    scale: view.scale,
    x: place(view.x, picture.width * view.scale, stage.width),
    y: place(view.y, picture.height * view.scale, stage.height),
  };
}

export function fitView(picture: Size, stage: Size, pixelRatio: number): View {
  return keepInside({ scale: fitScale(picture, stage, pixelRatio), x: 0, y: 0 }, picture, stage);
}

/** Returns the smallest and the largest scale at which the picture can be shown on the stage. */
export function scaleRange(picture: Size, stage: Size, pixelRatio: number): [number, number] {
  const fit = fitScale(picture, stage, pixelRatio);
  return [Math.min(fit, 1 / pixelRatio), Math.max(fit, CLOSEST / pixelRatio)];
}

/** Returns the view at another scale. The picture stays fixed at one point on the stage. */
export function zoomAround(view: View, scale: number, at: Point): View {
  const ratio = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
}

/**
 * Returns the scale that a wheel event requests. Some browsers report lines or pages instead of
 * pixels. Trackpads report a pinch as small steps with the Control key. One notch of a mouse wheel
 * zooms by about 20 %.
 */
export function wheelScale(scale: number, deltaY: number, deltaMode: number, pinch: boolean) {
  const pixels = deltaY * (deltaMode === 1 ? 33 : deltaMode === 2 ? 400 : 1);
  const step = Math.max(-150, Math.min(150, pixels)) * (pinch ? 0.01 : 0.0018);
  return scale * Math.exp(-step);
}

/**
 * Returns the view after two fingers have moved. The picture follows both fingers as far as
 * possible.
 */
export function pinchView(
  view: View,
  before: readonly [Point, Point],
  after: readonly [Point, Point],
  [smallest, largest]: readonly [number, number],
): View {
  const middle = ([a, b]: readonly [Point, Point]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  const spread = ([a, b]: readonly [Point, Point]) => Math.hypot(a.x - b.x, a.y - b.y);
  const from = middle(before);
  const to = middle(after);
  const factor = spread(after) / Math.max(1, spread(before));
  const scale = Math.min(largest, Math.max(smallest, view.scale * factor));
  const zoomed = zoomAround(view, scale, from);
  return { scale, x: zoomed.x + to.x - from.x, y: zoomed.y + to.y - from.y };
}

/**
 * Returns the part of the stage that the picture covers along one axis: start and end in CSS
 * pixels.
 */
export function visibleSpan(offset: number, length: number, room: number): [number, number] {
  return [Math.max(0, offset), Math.min(room, offset + length)];
}
