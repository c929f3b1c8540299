import { linearToSrgb, srgbToLinear } from '../../srgb.ts';
import type { TapRuns } from './resample.ts';
import { type Pixels, roundHalfToEven, topOf } from './rgba8.reference.ts';

/** Interleaved RGBA that is not premultiplied. A `Uint16Array` holds 16-bit samples. */
type Samples = Pixels['data'];

/**
 * Tables with the result of `srgbToLinear` for every sample value. The key is the largest sample
 * value.
 */
const tables = new Map<number, Float32Array>();
function linearTable(top: number): Float32Array {
  const table =
    tables.get(top) ?? Float32Array.from({ length: top + 1 }, (_, i) => srgbToLinear(i / top));
  tables.set(top, table);
  return table;
}

/**
 * Resizes rows of `widthIn` pixels horizontally into a ring buffer of linear premultiplied RGBA.
 * `pixels` starts with row `row0` of the image. This row is stored in row `row0 % ring.rows` of the
 * ring.
 */
export function resampleColumnsReference(
  pixels: Samples,
  widthIn: number,
  row0: number,
  taps: TapRuns,
  ring: { readonly rows: number; readonly data: Float32Array },
): void {
  const width = taps.first.length;
  const top = topOf(pixels);
  const linear = linearTable(top);
  for (let row = 0; row < pixels.length / (widthIn * 4); row++) {
    for (let col = 0; col < width; col++) {
      let [r, g, b, a] = [0, 0, 0, 0];
      for (let t = 0; t < taps.count; t++) {
        const from = (row * widthIn + taps.first[col] + t) * 4;
        const alpha = (taps.weights[col * taps.count + t] * pixels[from + 3]) / top;
        r += alpha * linear[pixels[from]];
        g += alpha * linear[pixels[from + 1]];
        b += alpha * linear[pixels[from + 2]];
        a += alpha;
      }
      const to = (((row0 + row) % ring.rows) * width + col) * 4;
      ring.data[to] = r;
      ring.data[to + 1] = g;
      ring.data[to + 2] = b;
      ring.data[to + 3] = a;
    }
  }
}

/**
 * Resizes the rows in the ring buffer vertically and converts the result to pixels. Fills `out`
 * with rows of the result, starting at row `row0`.
 */
export function resampleRowsReference(
  ring: { readonly rows: number; readonly data: Float32Array },
  row0: number,
  taps: TapRuns,
  width: number,
  out: Samples,
): void {
  const top = topOf(out);
  const clamped = (v: number): number => Math.min(Math.max(v, 0), 1);
  for (let i = 0; i < out.length; i += 4) {
    const row = row0 + Math.floor(i / 4 / width);
    const col = (i / 4) % width;
    let [r, g, b, a] = [0, 0, 0, 0];
    for (let t = 0; t < taps.count; t++) {
      const weight = taps.weights[row * taps.count + t];
      const from = (((taps.first[row] + t) % ring.rows) * width + col) * 4;
      r += weight * ring.data[from];
      g += weight * ring.data[from + 1];
      b += weight * ring.data[from + 2];
      a += weight * ring.data[from + 3];
    }
    const alpha = roundHalfToEven(clamped(a) * top);
    const colour = (v: number): number =>
      alpha === 0 ? 0 : roundHalfToEven(linearToSrgb(clamped(v / a)) * top);
    out[i] = colour(r);
    out[i + 1] = colour(g);
    out[i + 2] = colour(b);
    out[i + 3] = alpha;
  }
}
