import { describe, expect, it } from 'vitest';
import { expectClose, runKernel, written } from '../../../test/kernels.ts';
import { randomStream } from '../../../test/random.ts';
import { tapRuns } from '../../image/taps.ts';
import { mapGrid } from '../kernel.ts';
import { resampleColumnsReference, resampleRowsReference } from './resample.reference.ts';
import { packTaps, resampleColumnsKernel, resampleRowsKernel } from './resample.ts';

/**
 * Each case lists the length of the resampled side before and after, and the length of the other
 * side. The cases cover one pixel, thin images, reduction, enlargement, exactly one workgroup and
 * more than one workgroup.
 */
const SIZES = [
  [1, 1, 1],
  [1, 5, 3],
  [7, 1, 2],
  [11, 8, 8],
  [17, 9, 17],
  [5, 23, 9],
] as const;
const DEPTHS = [8, 16] as const;

function samples(depth: 8 | 16, pixels: number, seed: number) {
  const next = randomStream(seed);
  const data = depth === 16 ? new Uint16Array(pixels * 4) : new Uint8ClampedArray(pixels * 4);
  // Every fifth pixel is transparent. Of the other pixels, those whose index is a multiple of 3 are
  // opaque, and the rest have a random alpha value.
  return data.map((_, i) => {
    const pixel = Math.floor(i / 4);
    if (i % 4 === 3 && pixel % 5 === 0) return 0;
    if (i % 4 === 3 && pixel % 3 === 0) return 2 ** depth - 1;
    return Math.floor(next() * 2 ** depth);
  });
}

const words = (data: Uint8ClampedArray | Uint16Array): Uint32Array<ArrayBuffer> =>
  new Uint32Array(data.slice().buffer as ArrayBuffer);

describe.each(DEPTHS)('resampling %i bits', (depth) => {
  it.each(SIZES)('columns: %i to %i, %i rows, in a ring', async (width, out, rows) => {
    const pixels = samples(depth, width * rows, 7);
    const taps = tapRuns(width, out, 'lanczos3');
    // The first row of `pixels` is row 4 of the image. Row `r` of the image is stored in row
    // `r % rows` of the ring buffer.
    const ring = { rows, data: new Float32Array(rows * out * 4) };
    resampleColumnsReference(pixels, width, 4, taps, ring);
    const [made] = await runKernel(resampleColumnsKernel(depth === 16), {
      grid: mapGrid(out, rows, 1),
      params: [out, rows, 0, width, 4, rows, taps.count],
      reads: [words(pixels), packTaps(taps)],
      writes: [ring.data.length],
      rowsPerDispatch: 1,
    });
    expectClose(written(made), ring.data, { abs: 2e-6, rel: 1e-5 });
  });

  it.each(SIZES)('rows: %i to %i, %i columns', async (height, out, width) => {
    const next = randomStream(5);
    const ring = { rows: height + 2, data: new Float32Array((height + 2) * width * 4) };
    // Some values are outside 0..1, as they are after a horizontal resize with Lanczos, which
    // overshoots at edges.
    ring.data.forEach((_, i) => {
      ring.data[i] = next() * 1.2 - 0.1;
    });
    const taps = tapRuns(height, out, 'lanczos3');
    const from = Math.floor(out / 3);
    const expected = samples(depth, width * (out - from), 0);
    resampleRowsReference(ring, from, taps, width, expected);
    const [made] = await runKernel(resampleRowsKernel(depth === 16), {
      grid: mapGrid(width, out - from, 1),
      params: [width, out - from, 0, from, ring.rows, taps.count],
      reads: [ring.data, packTaps(taps)],
      writes: [(width * (out - from) * depth) / 8],
    });
    written(made);
    const pixels = depth === 16 ? new Uint16Array(made.buffer) : new Uint8Array(made.buffer);
    expectClose(pixels, expected, { abs: depth === 16 ? 2 : 1, rel: 0 });
  });
});

it('leaves no column or row without its own value', async () => {
  // The pixels of this image differ, so most of the results must differ, too. The tests above would
  // not detect taps that all read the same pixel, because the reference uses the same taps.
  const pixels = samples(8, 16, 3);
  const taps = tapRuns(16, 16, 'lanczos3');
  const [made] = await runKernel(resampleColumnsKernel(false), {
    grid: mapGrid(16, 1, 1),
    params: [16, 1, 0, 16, 0, 1, taps.count],
    reads: [words(pixels), packTaps(taps)],
    writes: [64],
  });
  expect(new Set(written(made)).size).toBeGreaterThan(32);
});
