/** Pure functions that map values to colours. */
import type { ShownMap } from './maps.ts';

/**
 * A scale from dark to bright. Its lightness changes evenly, and people with red-green colour
 * blindness can tell its colours apart.
 */
const STOPS: readonly (readonly [number, number, number])[] = [
  [8, 6, 38],
  [62, 15, 104],
  [121, 32, 120],
  [180, 53, 110],
  [228, 86, 77],
  [249, 142, 62],
  [252, 203, 104],
  [252, 253, 191],
];

/** Returns the colour for a value from 0 to 1. Values outside this range are clamped. */
export function heatColour(share: number): [number, number, number] {
  const place = Math.min(1, Math.max(0, share || 0)) * (STOPS.length - 1);
  const from = Math.min(STOPS.length - 2, Math.floor(place));
  const rest = place - from;
  const mix = (i: 0 | 1 | 2) => Math.round(STOPS[from][i] * (1 - rest) + STOPS[from + 1][i] * rest);
  return [mix(0), mix(1), mix(2)];
}

/**
 * Returns a colour for a numeric name, such as a cluster's. Consecutive names have clearly
 * different colours.
 */
export function nameColour(name: number): [number, number, number] {
  const hue = (name * 137.508) % 360;
  const lightness = 0.45 + 0.2 * ((name * 0.618) % 1);
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    const a = 0.65 * Math.min(lightness, 1 - lightness);
    return Math.round(255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** Renders a map as opaque RGBA. */
export function colourMap({
  width,
  height,
  values,
  range,
}: ShownMap): Uint8ClampedArray<ArrayBuffer> {
  const data = new Uint8ClampedArray(width * height * 4);
  const [least, most] = range ?? [0, 1];
  const span = most - least || 1;
  for (let i = 0; i < width * height; i++) {
    const colour = range ? heatColour((values[i] - least) / span) : nameColour(values[i]);
    data.set(colour, i * 4);
    data[i * 4 + 3] = 255;
  }
  return data;
}
