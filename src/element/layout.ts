/**
 * The geometry of an image on the page. Only `measure` reads the DOM. Lengths are in CSS pixels.
 */

import type { Rect, Size } from '../geometry.ts';

/** A corner's horizontal and vertical radii. */
export type Radius = readonly [x: number, y: number];
/** The radii of the four corners: top left, top right, bottom right, bottom left. */
export type Radii = readonly [Radius, Radius, Radius, Radius];

export interface Layout {
  /** The content box, where the pixels are drawn, relative to the image's border box. */
  readonly content: Rect;
  /** The radii of the content's corners. */
  readonly radii: Radii;
  /** The scale factor of the CSS transforms that apply to the image. */
  readonly zoom: number;
}

const CORNERS = ['TopLeft', 'TopRight', 'BottomRight', 'BottomLeft'] as const;

/**
 * Measures an image's content box, where the browser draws the pixels. The coordinates can be
 * fractional and do not include CSS transforms. An image without layout has width and height 0.
 */
export function measure(image: HTMLImageElement): Layout {
  const style = getComputedStyle(image);
  const px = (value: string) => Number.parseFloat(value) || 0;
  const inset = (side: 'Left' | 'Top' | 'Right' | 'Bottom') =>
    px(style[`border${side}Width`]) + px(style[`padding${side}`]);
  const [left, top] = [inset('Left'), inset('Top')];
  const [across, down] = [left + inset('Right'), top + inset('Bottom')];
  const isBorderBox = style.boxSizing === 'border-box';
  const width = Math.max(0, px(style.width) - (isBorderBox ? across : 0));
  const height = Math.max(0, px(style.height) - (isBorderBox ? down : 0));
  const outer = { width: width + across, height: height + down };
  const radii = CORNERS.map((corner) => {
    const [x, y = x] = style[`border${corner}Radius`].split(' ');
    const length = (value: string, side: number) =>
      value.endsWith('%') ? (px(value) / 100) * side : px(value);
    return [length(x, outer.width), length(y, outer.height)] as const;
  }) as unknown as Radii;
  const content = { x: left, y: top, width, height };
  return {
    content,
    radii: innerRadii(radii, outer, content),
    zoom: image.getBoundingClientRect().width / outer.width || 1,
  };
}

/**
 * Computes the corner radii of a box that is inside another box. If the outer box's radii are so
 * large that its corners would overlap, the radii are scaled down first. Source: CSS Backgrounds 3,
 * sections 4.2 and 4.5.
 */
export function innerRadii(radii: Radii, outer: Size, { x, y, width, height }: Rect): Radii {
  const [a, b, c, d] = radii;
  const factor = Math.min(
    1,
    ...[a[0] + b[0], c[0] + d[0]].map((sum) => outer.width / Math.max(sum, 1e-9)),
    ...[a[1] + d[1], b[1] + c[1]].map((sum) => outer.height / Math.max(sum, 1e-9)),
  );
  const [right, bottom] = [outer.width - x - width, outer.height - y - height];
  const within = ([rx, ry]: Radius, across: number, down: number): Radius => {
    const inner = [rx * factor - across, ry * factor - down] as const;
    return inner[0] > 0 && inner[1] > 0 ? inner : [0, 0];
  };
  return [within(a, x, y), within(b, right, y), within(c, right, bottom), within(d, x, bottom)];
}

/**
 * Builds a CSS `path()` with a hole. The hole is the part of a rounded box to the right of `split`,
 * a fraction (0 to 1) of the box's width. If `isVertical` is set, the hole is the part below
 * `split`, a fraction of the box's height. As a clip path, the path hides the original image's
 * pixels that are under the enlarged image, but not the original's border, outline or shadow.
 */
export function hole(box: Rect, corners: Radii, split: number, isVertical = false): string {
  // A vertical split is a horizontal split of the transposed box.
  const turn = ([rx, ry]: Radius): Radius => (isVertical ? [ry, rx] : [rx, ry]);
  const point = (px: number, py: number) => turn([px, py]).join();
  const [x, y] = turn([box.x, box.y]);
  const [width, height] = turn([box.width, box.height]);
  const [a, ...others] = corners.map(turn);
  const [b, c, d] = isVertical ? others.reverse() : others;
  const [right, bottom] = [x + width, y + height];
  const from = Math.max(x, Math.min(right, x + width * split));
  /**
   * Returns how far a point on a rounded corner's outline is from the box's upper or lower edge.
   * `into` is the point's horizontal distance from the box's left or right edge.
   */
  const drop = ([rx, ry]: Radius, into: number) =>
    rx > into ? ry - ry * Math.sqrt(1 - ((rx - into) / rx) ** 2) : 0;
  const sweep = isVertical ? 0 : 1;
  const arc = ([rx, ry]: Radius, px: number, py: number) =>
    `A${point(rx, ry)} 0 0 ${sweep} ${point(px, py)}`;
  const line = (px: number, py: number) => `L${point(px, py)}`;
  /**
   * Returns how far the rounded outline is from the box's upper or lower edge at the split. The
   * split crosses at most one of the edge's two corners, and `drop` is 0 for the other.
   */
  const edge = (left: Radius, end: Radius) =>
    Math.max(drop(left, from - x), drop(end, right - from));
  const top = y + edge(a, b);
  const low = bottom - edge(d, c);
  const path = [`M${point(from, top)}`];
  if (a[0] > from - x) path.push(arc(a, x + a[0], y));
  path.push(line(Math.max(from, right - b[0]), from > right - b[0] ? top : y));
  path.push(arc(b, right, y + b[1]), line(right, bottom - c[1]));
  path.push(arc(c, Math.max(from, right - c[0]), from > right - c[0] ? low : bottom));
  if (d[0] > from - x) path.push(line(x + d[0], bottom), arc(d, from, low));
  else path.push(line(from, low));
  return `path(evenodd,"M-1e5,-1e5H2e5V2e5H-1e5Z${path.join('')}Z")`;
}

/**
 * If `object-fit: none` or `scale-down` shows the original at its own size, returns the box for the
 * enlarged image, relative to the content box. Otherwise, returns null, because the enlarged image
 * can then use the original's `object-fit`, with `contain` instead of `scale-down`.
 * @param natural the image's own size in CSS pixels
 * @param position the computed value of `object-position`
 */
export function ownSize(natural: Size, content: Size, fit: string, position: string): Rect | null {
  const fits = natural.width <= content.width && natural.height <= content.height;
  if (fit !== 'none' && !(fit === 'scale-down' && fits)) return null;
  // `position` has two values. Each is in a form such as "50%", "8px" or "calc(100% - 8px)".
  const [across, down] = position.match(/calc\([^)]*\)|\S+/g) ?? [];
  const place = (value = '50%', room: number) => {
    const flat = value.replaceAll(/([+-]) /g, '$1');
    const percent = Number(/([+-]?[\d.]+)%/.exec(flat)?.[1] ?? 0);
    return (percent / 100) * room + Number(/([+-]?[\d.]+)px/.exec(flat)?.[1] ?? 0);
  };
  return {
    x: place(across, content.width - natural.width),
    y: place(down, content.height - natural.height),
    ...natural,
  };
}
