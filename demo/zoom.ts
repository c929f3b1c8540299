/**
 * The arithmetic of viewing a picture on a stage, without the DOM. Lengths on the stage are CSS
 * pixels; lengths in the picture are pixels of the enlarged picture.
 */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Picture pixel (u, v) appears at (x + u * scale, y + v * scale) on the stage. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** Device pixels per picture pixel at the largest zoom. */
const CLOSEST = 16;
/** At first, small pictures have at most this many device pixels per picture pixel. */
const LARGEST_FIT = 4;
/** Unless they would fill less than this share of the stage along the tighter side. */
const LEAST_SHARE = 0.5;
/** A fitting scale this close above a whole number of device pixels is reduced to it. */
const SNAP = 1.12;

/**
 * The scale at which the whole picture is visible. If little room is lost, it is a whole number of
 * device pixels per picture pixel, which shows the picture without additional blur.
 */
export function fitScale(picture: Size, stage: Size, pixelRatio: number): number {
  const contain = Math.min(stage.width / picture.width, stage.height / picture.height);
  const enough = Math.ceil(contain * pixelRatio * LEAST_SHARE);
  const devicePixels = Math.min(contain * pixelRatio, Math.max(LARGEST_FIT, enough));
  const whole = Math.floor(devicePixels);
  return (whole > 0 && devicePixels <= whole * SNAP ? whole : devicePixels) / pixelRatio;
}

/** Keeps the picture centred if it is smaller than the stage, and without gaps if it is larger. */
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

/** The stage's smallest and largest scale for a picture. */
export function scaleRange(picture: Size, stage: Size, pixelRatio: number): [number, number] {
  const fit = fitScale(picture, stage, pixelRatio);
  return [Math.min(fit, 1 / pixelRatio), Math.max(fit, CLOSEST / pixelRatio)];
}

/** The view at another scale, with the picture fixed at one point of the stage. */
export function zoomAround(view: View, scale: number, at: Point): View {
  const ratio = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
}

/**
 * The scale that a wheel event requests. Some browsers report lines or pages, and trackpads pinch
 * in small steps with the control key held. One notch of a mouse wheel is about 20 %.
 */
export function wheelScale(scale: number, deltaY: number, deltaMode: number, pinch: boolean) {
  const pixels = deltaY * (deltaMode === 1 ? 33 : deltaMode === 2 ? 400 : 1);
  const step = Math.max(-150, Math.min(150, pixels)) * (pinch ? 0.01 : 0.0018);
  return scale * Math.exp(-step);
}

/** The view after two fingers moved: the picture stays under both as far as its shape allows. */
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

/** The part of the stage that the picture covers along one axis: start and end in CSS pixels. */
export function visibleSpan(offset: number, length: number, room: number): [number, number] {
  return [Math.max(0, offset), Math.min(room, offset + length)];
}
