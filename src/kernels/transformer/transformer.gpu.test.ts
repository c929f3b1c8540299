import { describe, expect, it } from 'vitest';
import { expectClose, randomMap, randomValues, runKernel, written } from '../../../test/kernels.ts';
import type { Grouping } from '../../graph/transformerOp.ts';
import { packBias, packConvWeights } from '../conv/conv.ts';
import { blocksOf, mapGrid } from '../kernel.ts';
import { channelsKernel } from '../maps/rearrange.ts';
import { fromBlocked, type PlanarMap, toBlocked } from '../planar.ts';
import {
  channelAttentionReference,
  depthwiseReference,
  groupAttentionReference,
  groupMixReference,
  groupScoresReference,
  layerNormReference,
  maxPoolReference,
  resizeReference,
  shiftReference,
  sliceReference,
  stridedConvReference,
} from './transformer.reference.ts';
import {
  attentionGrid,
  channelAttentionKernel,
  channelChunks,
  channelMixKernel,
  channelSumBlocks,
  channelSumsGrid,
  channelSumsKernel,
  channelWeightsKernel,
  depthwiseKernel,
  groupAttentionKernel,
  groupGrid,
  groupMixKernel,
  groupScoresKernel,
  layerNormKernel,
  maxPoolKernel,
  packDepthwise,
  packNorm,
  resizeKernel,
  shiftKernel,
  stridedConvKernel,
} from './transformer.ts';

/**
 * The sizes cover a single pixel, a thin map, odd side lengths, exactly one workgroup, and more
 * than one workgroup.
 */
const SIZES = [
  [1, 1],
  [1, 5],
  [7, 3],
  [8, 8],
  [9, 17],
] as const;

const words = (channels: number, width: number, height: number): number =>
  blocksOf(channels) * 4 * width * height;

/**
 * Returns a kernel's output in planar order. Also checks that the channels that pad the last block
 * of four channels are zero.
 */
function mapOf(y: Uint32Array, { channels, height, width }: PlanarMap): Float32Array {
  const blocked = written(y);
  const last = blocked.subarray((blocksOf(channels) - 1) * 4 * width * height);
  const absent = last.filter((_, i) => i % 4 > (channels - 1) % 4);
  expect(absent.every((v) => v === 0)).toBe(true);
  return fromBlocked(blocked, channels, height, width).data;
}

describe.each(SIZES)('at %i x %i', (width, height) => {
  it.each([
    [0, 3],
    [3, 6],
    [4, 8],
    [5, 5],
  ])('slice from %i on of %i channels', async (first, count) => {
    const x = randomMap(13, height, width);
    const expected = sliceReference(x, first, count);
    const [y] = await runKernel(channelsKernel({ first, times: 1, count }), {
      grid: mapGrid(width, height, blocksOf(count)),
      params: [width, height],
      reads: [toBlocked(x)],
      writes: [words(count, width, height)],
    });
    expect(mapOf(y, expected)).toEqual(expected.data);
  });

  it.each([3, 5, 7] as const)('depthwise %ix%i', async (kernel) => {
    const x = randomMap(6, height, width);
    const weights = randomValues(6 * kernel ** 2, 2);
    const bias = randomValues(6, 3);
    const expected = depthwiseReference(x, weights, bias, kernel);
    const [y] = await runKernel(depthwiseKernel(kernel, null), {
      grid: mapGrid(width, height, 2),
      params: [width, height],
      reads: [toBlocked(x), packDepthwise(weights, 6, kernel ** 2), packBias(bias, 6)],
      writes: [words(6, width, height)],
    });
    expectClose(mapOf(y, expected), expected.data);
  });

  it.each([2, 3, 9, 48])('layer norm of %i channels', async (channels) => {
    const x = randomMap(channels, height, width);
    const [weight, bias] = [randomValues(channels, 2), randomValues(channels, 3)];
    const expected = layerNormReference(x, weight, bias, 1e-5);
    const [y] = await runKernel(layerNormKernel(channels, 1e-5), {
      grid: mapGrid(width, height, 1),
      params: [width, height],
      reads: [toBlocked(x), packNorm(weight, bias, channels)],
      writes: [words(channels, width, height)],
    });
    // If there are only two channels and they are nearly equal, the rounding error of their
    // difference dominates the result.
    expectClose(mapOf(y, expected), expected.data, { abs: channels === 2 ? 2e-3 : 5e-5 });
  });
});

const GROUPED: readonly (readonly [Grouping, number, number])[] = (
  ['windows', 'spread'] as const
).flatMap((kind) => [
  [{ kind, side: 8 }, 8, 8] as const,
  [{ kind, side: 8 }, 24, 16] as const,
  [{ kind, side: 3 }, 9, 6] as const,
]);

describe.each(GROUPED)('groups %j of %i x %i', (grouping, width, height) => {
  it.each([
    [1, 6, true],
    [2, 8, true],
    [2, 6, false],
  ])('%i heads of %i channels', async (heads, channels, table) => {
    const spec = { grouping, heads, channels, query: 0, key: channels, merge: 1 };
    const x = randomMap(3 * channels, height, width);
    const positions = table ? randomValues((2 * grouping.side - 1) ** 2 * heads, 5) : null;
    const expected = groupScoresReference(x, x, positions, spec);
    const tokens = grouping.side ** 2;
    const row = blocksOf(tokens) * 4;
    const rows = width * height * heads;
    const [scores] = await runKernel(groupScoresKernel({ ...spec, table }), {
      grid: groupGrid(grouping, width, height, heads),
      params: [width, height],
      reads: [toBlocked(x), toBlocked(x), positions ?? randomValues(4, 1)],
      writes: [rows * row],
      ...(height === 16 && { rowsPerDispatch: 1 }),
    });
    const packed = written(scores);
    const values = Float32Array.from(
      { length: rows * tokens },
      (_, i) => packed.at(Math.floor(i / tokens) * row + (i % tokens))!,
    );
    expectClose(values, expected.data);
    const padding = packed.filter((_, i) => i % row >= tokens);
    expect(padding.every((v) => v === 0)).toBe(true);

    const first = 2 * channels;
    const mixed = groupMixReference(x, expected, { ...spec, first });
    const [y] = await runKernel(groupMixKernel({ ...spec, first }), {
      grid: groupGrid(grouping, width, height, blocksOf(channels)),
      params: [width, height],
      reads: [toBlocked(x), packed as Float32Array<ArrayBuffer>],
      writes: [words(channels, width, height)],
    });
    expectClose(mapOf(y, mixed), mixed.data);
  });
});

/**
 * Each case lists the grouping, width, height, heads, channels and `merge`. A key consists of
 * `merge` x `merge` pixels.
 */
const ATTENTIONS: readonly (readonly [Grouping, number, number, number, number, number])[] = [
  [{ kind: 'windows', side: 8 }, 8, 8, 1, 8, 1],
  [{ kind: 'windows', side: 8, shift: { y: 4, x: 4 } }, 24, 16, 6, 60, 1],
  [{ kind: 'windows', side: 8, shift: { y: 4, x: 4 } }, 8, 8, 3, 18, 1],
  [{ kind: 'windows', side: 7, shift: { y: 3, x: 3 } }, 14, 21, 3, 9, 1],
  [{ kind: 'windows', side: 9 }, 18, 9, 2, 6, 1],
  [{ kind: 'windows', side: 8, rows: 4, multiple: 8 }, 13, 10, 3, 12, 1],
  [{ kind: 'windows', side: 4, rows: 8, multiple: 8, shift: { y: 4, x: 2 } }, 13, 10, 2, 14, 1],
  [{ kind: 'windows', side: 8, rows: 32, multiple: 32, shift: { y: 16, x: 4 } }, 18, 9, 3, 30, 1],
  [{ kind: 'spread', side: 8 }, 16, 24, 4, 16, 1],
  [{ kind: 'windows', side: 12, shift: { y: 6, x: 6 } }, 24, 12, 3, 24, 2],
  [{ kind: 'windows', side: 8 }, 16, 8, 6, 60, 2],
];

describe.each(ATTENTIONS)(
  'attention in %j of %i x %i',
  (grouping, width, height, heads, channels, merge) => {
    const keys = channels / merge ** 2;
    // The queries start at channel 1 and the keys at channel 2, so neither of them starts at the
    // first channel of a block.
    const spec = { grouping, heads, channels, query: 1, key: 2, merge };
    const first = 2 + keys;
    const q = randomMap(channels + 1, height, width, 3);
    const kv = randomMap(2 + 2 * keys, height, width, 4);
    const window = {
      rows: (grouping.rows ?? grouping.side) / merge,
      columns: grouping.side / merge,
    };
    const rows = (2 * window.rows - 1) * (2 * window.columns - 1);
    const positions = randomValues(rows * heads, 5);
    const expected = groupAttentionReference(q, kv, positions, spec, first);

    it.each([true, false])('in one kernel, aligned if possible: %s', async (aligned) => {
      const at = aligned
        ? { query: 0, key: 0, first: Math.ceil(keys / 4) * 4 }
        : { query: 1, key: 2, first };
      const [own, other] = aligned
        ? [randomMap(channels, height, width, 3), randomMap(at.first + keys, height, width, 4)]
        : [q, kv];
      const wanted = groupAttentionReference(own, other, positions, { ...spec, ...at }, at.first);
      const [y] = await runKernel(groupAttentionKernel({ ...spec, ...at, table: true }), {
        grid: attentionGrid(spec, width, height),
        params: [width, height],
        reads: [toBlocked(own), toBlocked(other), positions],
        writes: [words(channels, width, height)],
        ...(height === 16 && { rowsPerDispatch: 1 }),
      });
      expectClose(mapOf(y, wanted), wanted.data);
    });

    it('in two', async () => {
      const scores = groupScoresReference(q, kv, positions, spec);
      expectClose(groupMixReference(kv, scores, { ...spec, first }).data, expected.data);
      const tokens = scores.dims[3];
      const row = blocksOf(tokens) * 4;
      const [stored] = await runKernel(groupScoresKernel({ ...spec, table: true }), {
        grid: groupGrid(grouping, width, height, heads),
        params: [width, height],
        reads: [toBlocked(q), toBlocked(kv), positions],
        writes: [(scores.data.length / tokens) * row],
      });
      const packed = written(stored);
      const values = packed.filter((_, i) => i % row < tokens);
      expectClose(values, scores.data);
      const [y] = await runKernel(groupMixKernel({ ...spec, first }), {
        grid: groupGrid(grouping, width, height, blocksOf(channels)),
        params: [width, height],
        reads: [toBlocked(kv), packed as Float32Array<ArrayBuffer>],
        writes: [words(channels, width, height)],
      });
      expectClose(mapOf(y, expected), expected.data);
    });
  },
);

describe.each([
  ['windows', 8, 8, 8],
  ['windows', 8, 24, 16],
  ['grid', 8, 16, 24],
  ['grid', 8, 64, 40],
  ['grid', 3, 9, 6],
  ['spread', 8, 16, 8],
] as const)('channel attention in %s of side %i, %i x %i', (kind, side, width, height) => {
  it.each([
    [1, 6],
    [1, 48],
    [3, 12],
  ])('%i heads of %i channels', async (heads, channels) => {
    const grouping = { kind, side };
    const x = randomMap(3 * channels, height, width);
    const temperature = randomValues(heads, 7).map((v) => 3 * v);
    const expected = channelAttentionReference(x, temperature, grouping);
    const blank = randomValues(4, 1);
    const [y] = await runKernel(channelAttentionKernel({ grouping, heads, channels }, false), {
      grid: groupGrid(grouping, width, height, heads),
      params: [width, height],
      reads: [toBlocked(x), temperature, blank, blank],
      writes: [words(channels, width, height)],
    });
    expectClose(mapOf(y, expected), expected.data);
  });
});

describe.each([
  [1, 6],
  [3, 30],
  [6, 60],
])('channel attention over a whole map, %i heads of %i channels', (heads, channels) => {
  // The sizes cover a single pixel, fewer than 32 pixels, one chunk (1024 pixels), and three
  // chunks. `channelSumsKernel` loads 32 pixels at a time.
  it.each([
    [1, 1],
    [5, 3],
    [32, 32],
    [47, 53],
  ])('%i x %i', async (width, height) => {
    const spec = { heads, channels };
    const x = randomMap(3 * channels, height, width);
    const temperature = randomValues(heads, 7).map((v) => 3 * v);
    const expected = channelAttentionReference(x, temperature, { kind: 'grid', side: 1 });
    const pixels = width * height;
    const chunks = channelChunks(pixels);
    const sums = 4 * channelSumBlocks(spec);
    const [partials] = await runKernel(channelSumsKernel(spec), {
      grid: channelSumsGrid(heads, pixels),
      params: [pixels, chunks],
      reads: [toBlocked(x)],
      writes: [chunks * sums],
    });
    // If an image is processed in tiles, `channelWeightsKernel` reads means over the whole image
    // instead of partial sums. A mean is the sum over the whole map divided by the number of
    // pixels.
    const stored = written(partials);
    const mean = Float32Array.from({ length: sums }, (_, i) => {
      let sum = 0;
      for (let n = 0; n < chunks; n++) sum += stored[n * sums + i];
      return sum / pixels;
    });
    for (const [given, count] of [
      [stored, chunks],
      [mean, 1],
    ] as const) {
      const [weights] = await runKernel(channelWeightsKernel(spec), {
        grid: [heads, 1, 1],
        params: [pixels, count],
        reads: [given as Float32Array<ArrayBuffer>, temperature],
        writes: [channels * (channels / heads)],
      });
      const [y] = await runKernel(channelMixKernel(spec), {
        grid: mapGrid(width, height, blocksOf(channels)),
        params: [width, height],
        reads: [toBlocked(x), written(weights) as Float32Array<ArrayBuffer>],
        writes: [words(channels, width, height)],
      });
      expectClose(mapOf(y, expected), expected.data);
    }
  });
});

describe.each([
  [7, 7],
  [9, 8],
  [17, 23],
])('reduced maps of %i x %i', (width, height) => {
  it.each([
    [3, 2],
    [2, 2],
    [3, 1],
  ])('convolution %i / %i', async (kernel, stride) => {
    const x = randomMap(6, height, width);
    const weights = randomValues(5 * 6 * kernel ** 2, 2);
    const bias = randomValues(5, 3);
    const expected = stridedConvReference(x, weights, bias, { kernel, stride, cOut: 5 });
    const [y] = await runKernel(stridedConvKernel({ kernel, stride, cIn: 6 }), {
      grid: mapGrid(expected.width, expected.height, 2),
      params: [expected.width, expected.height, 0, width, height],
      reads: [toBlocked(x), packConvWeights(weights, 5, 6, kernel), packBias(bias, 5)],
      writes: [words(5, expected.width, expected.height)],
    });
    expectClose(mapOf(y, expected), expected.data, { abs: 5e-5 });
  });

  it.each([1, -1] as const)('shift by %i', async (by) => {
    const x = randomMap(6, height, width);
    const [y] = await runKernel(shiftKernel(by), {
      grid: mapGrid(width, height, 2),
      params: [width, height],
      reads: [toBlocked(x)],
      writes: [words(6, width, height)],
    });
    expect(mapOf(y, x)).toEqual(shiftReference(x, by).data);
  });

  it('max pool and resize', async () => {
    const x = randomMap(6, height, width);
    const expected = maxPoolReference(x, 7, 3);
    const [y] = await runKernel(maxPoolKernel(7, 3), {
      grid: mapGrid(expected.width, expected.height, 2),
      params: [expected.width, expected.height, 0, width, height],
      reads: [toBlocked(x)],
      writes: [words(6, expected.width, expected.height)],
    });
    expect(mapOf(y, expected)).toEqual(expected.data);

    const large = resizeReference(expected, { width, height });
    const [z] = await runKernel(resizeKernel(), {
      grid: mapGrid(width, height, 2),
      params: [width, height, 0, expected.width, expected.height],
      reads: [toBlocked(expected)],
      writes: [words(6, width, height)],
    });
    expectClose(mapOf(z, large), large.data);
  });
});
