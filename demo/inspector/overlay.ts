import type { AttentionInspection } from '../../src/index.ts';
import { colourMap } from './heat.ts';
import { attendedMap, type Layer, type Pixel, type ShownMap, sampledKeys } from './maps.ts';

/** The longest side of the drawing, in pixels. */
const LONGEST = 960;

/** The content to draw over the picture. */
export interface Overlay {
  readonly map: ShownMap | null;
  readonly layer: Layer;
  readonly pixel: Pixel | null;
  /** The opacity of the map, 0 to 1. */
  readonly opacity: number;
}

/** Draws the inspected part of a picture, a map over it, and markers for the chosen pixel. */
export function drawOverlay(
  canvas: HTMLCanvasElement,
  picture: CanvasImageSource,
  { width, height, region }: AttentionInspection,
  { map, layer, pixel, opacity }: Overlay,
): void {
  const context = canvas.getContext('2d')!;
  // The factor is an integer, so that all of a map's pixels become squares of the same size.
  const factor = Math.max(1, Math.floor(LONGEST / Math.max(width, height)));
  canvas.width = width * factor;
  canvas.height = height * factor;
  context.imageSmoothingEnabled = false;
  const { x, y } = region;
  const whole = [0, 0, canvas.width, canvas.height] as const;
  context.drawImage(picture, x, y, region.width, region.height, ...whole);
  const isAttending = layer.kind === 'clusters' && pixel !== null;
  const shown = isAttending ? attendedMap(layer.of, pixel) : map;
  if (shown) {
    const size = { width: shown.width, height: shown.height };
    const drawn = Object.assign(document.createElement('canvas'), size);
    drawn.getContext('2d')!.putImageData(new ImageData(colourMap(shown), size.width), 0, 0);
    context.globalAlpha = opacity;
    context.drawImage(drawn, ...whole);
    context.globalAlpha = 1;
  }
  if (!pixel) return;
  if (layer.kind === 'keys') drawKeys(context, layer, pixel, factor);
  // A white line over a wider black line is visible on every colour.
  for (const [colour, line] of [
    ['#000', 4],
    ['#fff', 2],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(pixel.x * factor - 2, pixel.y * factor - 2, factor + 4, factor + 4);
  }
}

/**
 * Draws each key as a disk with an area proportional to its weight. A key with a closed gate is a
 * ring.
 */
function drawKeys(
  context: CanvasRenderingContext2D,
  layer: Layer & { kind: 'keys' },
  pixel: Pixel,
  factor: number,
): void {
  const largest = Math.max(6, factor * 0.9);
  for (const { x, y, weight, gate, reference } of sampledKeys(layer.of, pixel)) {
    context.beginPath();
    const radius = Math.max(3, largest * Math.sqrt(weight));
    context.arc((x + 0.5) * factor, (y + 0.5) * factor, radius, 0, 2 * Math.PI);
    context.lineWidth = 2;
    context.strokeStyle = '#fff';
    context.fillStyle = `hsl(${(reference * 137.5) % 360} 80% 45%)`;
    if (gate !== 0) context.fill();
    context.stroke();
  }
}
