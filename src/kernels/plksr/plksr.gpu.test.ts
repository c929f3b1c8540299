import { describe, expect, it } from 'vitest';
import { expectClose, randomMap, randomValues, runKernel, written } from '../../../test/kernels.ts';
import { packBias, packConvWeights } from '../conv/conv.ts';
import { blocksOf, concatFloats, mapGrid } from '../kernel.ts';
import { affineReference } from '../maps/pointwise.reference.ts';
import { channelsKernel } from '../maps/rearrange.ts';
import { fromBlocked, type PlanarMap, toBlocked } from '../planar.ts';
import { poolPartialGrid, poolPartialKernel } from '../vector/pool.ts';
import {
  centreReference,
  dySampleReference,
  groupNormReference,
  partialConvReference,
  repeatChannelsReference,
} from './plksr.reference.ts';
import { dySampleKernel, groupAffineKernel, partialConvGrid, partialConvKernel } from './plksr.ts';

const words = (channels: number, width: number, height: number): number =>
  blocksOf(channels) * 4 * width * height;

/**
 * Returns a kernel's output in planar order. Also checks that the unused lanes of the last block
 * are zero.
 */
function mapOf(y: Uint32Array, { channels, height, width }: PlanarMap): Float32Array {
  const blocked = written(y);
  const last = blocked.subarray((blocksOf(channels) - 1) * 4 * width * height);
  const absent = last.filter((_, i) => i % 4 > (channels - 1) % 4);
  expect(absent.every((v) => v === 0)).toBe(true);
  return fromBlocked(blocked, channels, height, width).data;
}

/**
 * The sizes cover a single pixel, a thin map, odd side lengths, exactly one workgroup, and more
 * than one workgroup.
 */
const SIZES = [
  [1, 1],
  [1, 5],
  [13, 7],
  [16, 16],
  [17, 33],
] as const;

describe.each(SIZES)('at %i x %i', (width, height) => {
  // Depending on the case, the convolved channels fill part of a block, one block, one group of
  // blocks, or several groups, the last of which is incomplete. The 21 x 21 kernel needs shorter
  // strips than the other kernels.
  it.each([
    [13, 3, 10],
    [17, 4, 16],
    [17, 16, 20],
    [21, 6, 6],
    [3, 37, 41],
  ])('large kernel %i on %i of %i channels', async (kernel, count, channels) => {
    const x = randomMap(channels, height, width);
    const weights = randomValues(count ** 2 * kernel ** 2, 2);
    const bias = randomValues(count, 3);
    const spec = { kernel, count };
    const expected = partialConvReference(x, weights, bias, spec);
    const [y] = await runKernel(partialConvKernel(spec), {
      grid: partialConvGrid(spec, channels, width, height),
      params: [width, height],
      reads: [toBlocked(x), packConvWeights(weights, count, count, kernel), packBias(bias, count)],
      writes: [words(channels, width, height)],
      ...(height === 33 && { rowsPerDispatch: 1 }),
    });
    expectClose(mapOf(y, expected), expected.data, { abs: 2e-4 });
  });

  it.each([
    [1, 5],
    [4, 3],
    [9, 3],
    [16, 1],
  ])('channels %i times', async (times, channels) => {
    const x = randomMap(channels, height, width);
    const expected = repeatChannelsReference(x, times);
    const [y] = await runKernel(channelsKernel({ first: 0, times, count: expected.channels }), {
      grid: mapGrid(width, height, blocksOf(expected.channels)),
      params: [width, height],
      reads: [toBlocked(x)],
      writes: [words(expected.channels, width, height)],
    });
    expect(mapOf(y, expected)).toEqual(expected.data);
  });

  // The cases cover groups of channels that lie within a block of 4 channels, groups that cross
  // blocks, and groups that consist of whole blocks. In the last two cases, the kernel adds the
  // samples of all groups together, so the result has only 3 or 1 channels.
  it.each([
    [1, 3, 3, null],
    [2, 4, 12, null],
    [3, 3, 27, null],
    [4, 4, 64, null],
    [2, 4, 16, 3],
    [4, 4, 16, 1],
  ] as const)('DySample x%i in %i groups of %i channels', async (scale, groups, channels, sum) => {
    const z = randomMap(channels, height, width);
    const o = randomMap(2 * groups * scale ** 2, height, width, 5);
    // The offsets are multiplied by 8, so that they shift samples by up to 4 pixels. Some of the
    // samples are then outside the map.
    for (let i = 0; i < o.data.length; i++) o.data[i] *= 8;
    const spec = { scale, groups, sum };
    const expected = dySampleReference(z, o, spec);
    const [y] = await runKernel(dySampleKernel({ ...spec, channels }), {
      grid: mapGrid(expected.width, expected.height, blocksOf(expected.channels)),
      params: [expected.width, expected.height],
      reads: [toBlocked(z), toBlocked(o)],
      writes: [words(expected.channels, expected.width, expected.height)],
    });
    expectClose(mapOf(y, expected), expected.data, { abs: 2e-5 });
  });

  it('sums of squares', async () => {
    const x = randomMap(6, height, width);
    const pixels = width * height;
    const [y] = await runKernel(poolPartialKernel(6, 'f32', true), {
      grid: poolPartialGrid(6, pixels),
      params: { pixels, chunks: 1 },
      reads: [toBlocked(x)],
      writes: [8],
    });
    const expected = Float32Array.from({ length: 8 }, (_, c) =>
      x.data.subarray(c * pixels, (c + 1) * pixels).reduce((sum, v) => sum + v * v, 0),
    );
    expectClose(written(y), expected);
  });
});

it.each([
  [6, 3],
  [16, 4],
  [96, 4],
])('factors of %i channels in %i groups', async (channels, groups) => {
  const squares = randomValues(channels, 2).map(Math.abs) as Float32Array<ArrayBuffer>;
  const [weight, bias] = [randomValues(channels, 3), randomValues(channels, 4)];
  const x = randomMap(channels, 2, 3);
  const norm = concatFloats([packBias(weight, channels), packBias(bias, channels)]);
  for (const epsilon of [null, 1e-5]) {
    const [y] = await runKernel(groupAffineKernel(channels, groups, epsilon), {
      grid: [1, 1, 1],
      params: [],
      reads: [packBias(squares, channels), norm],
      writes: [blocksOf(channels) * 8],
    });
    const pairs = written(y);
    const of = (part: number) => Array.from({ length: channels }, (_, c) => pairs[2 * c + part]);
    const expected =
      epsilon === null
        ? centreReference(x, squares, groups)
        : groupNormReference(x, squares, weight, bias, { groups, epsilon });
    expectClose(affineReference(x, of(0), of(1)).data, expected.data);
    expect(pairs.subarray(2 * channels).every((v) => v === 0)).toBe(true);
  }
});
