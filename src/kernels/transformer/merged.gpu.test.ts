import { describe, expect, it } from 'vitest';
import {
  expectClose,
  randomMap,
  randomValues,
  requestKernelAdapter,
  runKernel,
  written,
} from '../../../test/kernels.ts';
import type { Activation } from '../../graph/graph.ts';
import type { Grouping } from '../../graph/transformerOp.ts';
import { convReference } from '../conv/conv.reference.ts';
import { packBias } from '../conv/conv.ts';
import { blocksOf, concatFloats } from '../kernel.ts';
import { activationReference, addReference, mulReference } from '../maps/pointwise.reference.ts';
import { concatReference } from '../maps/rearrange.reference.ts';
import { fromBlocked, type PlanarMap, toBlocked } from '../planar.ts';
import { globalAveragePoolReference } from '../vector/pool.reference.ts';
import { linearReference, vectorActivationReference } from '../vector/vector.reference.ts';
import {
  columnGrid,
  depthwiseSumsKernel,
  gatedProjectionKernel,
  type Loading,
  type Next,
  normedAttentionKernel,
  packMatrices,
  pixelGrid,
  pixelLayerKernel,
  spatialGateGrid,
  spatialGateKernel,
  weighedWeightsKernel,
} from './merged.ts';
import {
  depthwiseReference,
  groupMixReference,
  groupScoresReference,
  layerNormReference,
  resizeReference,
  type Scores,
  scaleChannelsReference,
  sliceReference,
} from './transformer.reference.ts';
import { groupGrid, packDepthwise } from './transformer.ts';

const features = (await requestKernelAdapter())?.features;
const LOADINGS: readonly Loading[] = [
  { quads: false },
  ...(features?.has('subgroups') ? [{ quads: true }] : []),
];
/**
 * The sizes cover a single pixel, odd side lengths, exactly one workgroup, and more than one
 * workgroup in both directions.
 */
const SIZES = [
  [1, 1],
  [3, 7],
  [8, 16],
  [19, 35],
] as const;
const gelu: Activation = { fn: 'gelu' };
const EPSILON = 1e-5;

const words = (channels: number, width: number, height: number): number =>
  blocksOf(channels) * 4 * width * height;

/**
 * Compares a kernel's output with the expected map, and checks that the channels that pad the last
 * block are zero.
 */
function expectMap(y: Uint32Array, expected: PlanarMap, abs = 1e-4): void {
  const { channels, height, width } = expected;
  const blocked = written(y);
  const last = blocked.subarray((blocksOf(channels) - 1) * 4 * width * height);
  expect(last.filter((_, i) => i % 4 > (channels - 1) % 4).every((v) => v === 0)).toBe(true);
  expectClose(fromBlocked(blocked, channels, height, width).data, expected.data, { abs });
}

const act = (x: PlanarMap, activation: Activation | null) =>
  activation ? activationReference(x, activation) : x;

const unit = (x: PlanarMap) => {
  const ones = new Float32Array(x.channels).fill(1);
  return layerNormReference(x, ones, new Float32Array(x.channels), EPSILON);
};

/**
 * Creates a layer with random weights. They are divided by `sqrt(cIn)`, so that the outputs do not
 * grow with the number of inputs.
 */
const layer = (cOut: number, cIn: number, seed: number) => ({
  rows: randomValues(cOut * cIn, seed).map((v) => v / Math.sqrt(cIn)) as Float32Array<ArrayBuffer>,
  bias: randomValues(cOut, seed + 1),
});

const apply = (x: PlanarMap, { rows, bias }: ReturnType<typeof layer>) =>
  convReference(x, rows, bias, bias.length, 1);

/**
 * Creates the layer `next`, which the tested kernel computes after its own op. Returns the layer's
 * matrices and biases, and a function that computes the layer's expected result for a map.
 */
function following(next: Next | null, channels: number, loading: Loading) {
  if (!next) return { matrices: [], biases: [], of: () => [] as PlanarMap[] };
  const own = layer(next.channels, channels, 90);
  return {
    matrices: [packMatrices(own.rows, next.channels, channels, loading)],
    biases: [packBias(own.bias, next.channels)],
    of: (y: PlanarMap) => [act(apply(next.epsilon === null ? y : unit(y), own), next.activation)],
  };
}

const NEXTS: readonly (Next | null)[] = [
  null,
  { channels: 10, epsilon: EPSILON, activation: null },
  { channels: 16, epsilon: null, activation: gelu },
];

describe.each(LOADINGS)('with %j', (loading) => {
  describe.each(SIZES)('at %i x %i', (width, height) => {
    it.each([
      [[12, 5, 3, 20], 10, 4],
      [[36, 12], 84, 48],
      [[7], 5, 0],
    ])('a layer of %j channels -> %i, active from %i on', async (parts, channels, active) => {
      const maps = parts.map((count, i) => randomMap(count, height, width, i + 1));
      const cIn = parts.reduce((a, b) => a + b);
      const own = layer(channels, cIn, 20);
      const spec = { parts, channels, epsilon: null, activation: gelu, active };
      const [x0, x1 = x0, x2 = x0, x3 = x0] = maps.map(toBlocked);
      const [y] = await runKernel(pixelLayerKernel(spec, loading), {
        grid: pixelGrid(width, height),
        params: [width, height],
        reads: [
          ...[x0, x1, x2, x3],
          packMatrices(own.rows, channels, cIn, loading, parts),
          packBias(own.bias, channels),
        ],
        writes: [words(channels, width, height)],
        rowsPerDispatch: 1,
      });
      const x = maps.length > 1 ? concatReference(maps) : maps[0];
      const linear = apply(x, own);
      const rest = channels - active;
      const bent = act(sliceReference(linear, active, rest), gelu);
      expectMap(y, active ? concatReference([sliceReference(linear, 0, active), bent]) : bent);
    });

    it.each([9, 48])('a layer of %i normalised channels', async (cIn) => {
      const x = randomMap(cIn, height, width);
      const own = layer(20, cIn, 20);
      const spec = { parts: [cIn], channels: 20, epsilon: EPSILON, activation: gelu, active: 0 };
      const map = toBlocked(x);
      const [y] = await runKernel(pixelLayerKernel(spec, loading), {
        grid: pixelGrid(width, height),
        params: [width, height],
        reads: [
          ...[map, map, map, map],
          packMatrices(own.rows, 20, cIn, loading),
          packBias(own.bias, 20),
        ],
        writes: [words(20, width, height)],
      });
      expectMap(y, act(apply(unit(x), own), gelu));
    });

    it.each(NEXTS)('a gated projection, then %j', async (next) => {
      const [hidden, channels] = [12, 18];
      const x = randomMap(2 * hidden, height, width, 1);
      const r = randomMap(channels, height, width, 2);
      const taps = randomValues(2 * hidden * 9, 3);
      const shifts = randomValues(2 * hidden, 4);
      const own = layer(channels, hidden, 5);
      const follow = following(next, channels, loading);
      const spec = { hidden, channels, activation: gelu, next };
      const [y, z] = await runKernel(gatedProjectionKernel(spec, loading), {
        grid: columnGrid(width, height),
        params: [width, height],
        reads: [
          toBlocked(x),
          packDepthwise(taps, 2 * hidden, 9),
          concatFloats([packMatrices(own.rows, channels, hidden, loading), ...follow.matrices]),
          concatFloats([shifts, packBias(own.bias, channels), ...follow.biases]),
          toBlocked(r),
        ],
        writes: [channels, ...(next ? [next.channels] : [])].map((n) => words(n, width, height)),
        rowsPerDispatch: 1,
      });
      const local = depthwiseReference(x, taps, shifts, 3);
      const [u, v] = [0, hidden].map((first) => sliceReference(local, first, hidden));
      const expected = addReference(r, apply(mulReference(act(u, gelu), v), own));
      expectMap(y, expected, 3e-4);
      for (const map of follow.of(expected)) expectMap(z, map, 2e-3);
    });

    it('a depthwise convolution with its sums, and the weights that they weigh', async () => {
      const [channels, hidden, cOut] = [10, 3, 7];
      const x = randomMap(channels, height, width, 1);
      const taps = randomValues(channels * 9, 3);
      const shifts = randomValues(channels, 4);
      const grid = columnGrid(width, height, blocksOf(channels));
      const chunks = grid[0] * grid[1];
      const [y, partials] = await runKernel(depthwiseSumsKernel(channels, gelu), {
        grid,
        params: [width, height],
        reads: [toBlocked(x), packDepthwise(taps, channels, 9), packBias(shifts, channels)],
        writes: [words(channels, width, height), chunks * blocksOf(channels) * 4],
        rowsPerDispatch: 1,
      });
      const u = act(depthwiseReference(x, taps, shifts, 3), gelu);
      expect(u.data.some((v) => v !== 0)).toBe(true);
      expectClose(fromBlocked(written(y), channels, height, width).data, u.data, { abs: 1e-4 });

      const [w1, w2] = [randomValues(hidden * channels, 6), randomValues(channels * hidden, 7)];
      const rows = randomValues(cOut * channels, 8);
      const transposed = loading.quads;
      const inner: Activation = { fn: 'silu' };
      const spec = { lengthIn: channels, hidden, channels: cOut, inner, transposed };
      const [weighed] = await runKernel(weighedWeightsKernel(spec), {
        grid: [1, 1, 1],
        params: [width * height, chunks],
        reads: [
          written(partials) as Float32Array<ArrayBuffer>,
          ...[w1, w2],
          packMatrices(rows, cOut, channels, loading),
        ],
        writes: [blocksOf(cOut) * blocksOf(channels) * 16],
      });
      const mean = globalAveragePoolReference(u);
      const low = vectorActivationReference(linearReference(mean, w1, hidden), inner);
      const factors = vectorActivationReference(linearReference(low, w2, channels), {
        fn: 'sigmoid',
      });
      // Scaling the columns of the weights is equivalent to scaling the input's channels.
      const columns = { channels, height: 1, width: cOut, data: new Float32Array(channels * cOut) };
      rows.forEach((v, i) => {
        columns.data[(i % channels) * cOut + Math.floor(i / channels)] = v;
      });
      const scaled = scaleChannelsReference(columns, factors);
      const expected = rows.map(
        (_, i) => scaled.data[(i % channels) * cOut + Math.floor(i / channels)],
      );
      expectClose(
        written(weighed),
        packMatrices(expected as Float32Array, cOut, channels, loading),
      );
    });

    it('a gate that is computed at a reduced size', async () => {
      const [direct, inner, channels] = [6, 9, 14];
      const [small, a, map] = [
        randomMap(inner, Math.ceil(height / 3), Math.ceil(width / 3), 1),
        randomMap(direct, height, width, 2),
        randomMap(channels, height, width, 3),
      ];
      const [first, second] = [layer(inner, direct, 4), layer(channels, inner, 6)];
      const [y] = await runKernel(spatialGateKernel([direct, inner, channels], loading), {
        grid: spatialGateGrid(width, height),
        params: [width, height, 0, small.width, small.height],
        reads: [
          toBlocked(small),
          toBlocked(a),
          concatFloats([
            packMatrices(first.rows, inner, direct, loading),
            packMatrices(second.rows, channels, inner, loading),
          ]),
          concatFloats([packBias(first.bias, inner), packBias(second.bias, channels)]),
          toBlocked(map),
        ],
        writes: [words(channels, width, height)],
        rowsPerDispatch: 1,
      });
      const sum = addReference(resizeReference(small, { width, height }), apply(a, first));
      expectMap(y, mulReference(map, act(apply(sum, second), { fn: 'sigmoid' })));
    });
  });

  describe.each<Grouping>([
    { kind: 'windows', side: 8 },
    { kind: 'spread', side: 8 },
    { kind: 'windows', side: 16, rows: 4 },
  ])('attention in %j', (grouping) => {
    const [width, height] = [32, 24];
    it.each([
      [6, NEXTS[1]],
      // Pipelines take seconds to compile, so the next three cases run with only one of the
      // groupings.
      ...(grouping.kind === 'spread'
        ? ([
            [6, NEXTS[0]],
            [6, NEXTS[2]],
            [20, NEXTS[1]],
          ] as const)
        : []),
    ] as const)('of %i normalised channels, then %j', async (channels, next) => {
      const x = randomMap(channels, height, width, 1);
      const normed = unit(x);
      const [values, queries] = [layer(channels, channels, 5), layer(channels, channels, 7)];
      const table = randomValues(
        (2 * (grouping.rows ?? grouping.side) - 1) * (2 * grouping.side - 1),
        9,
      );
      const sizes = { grouping, heads: 1, channels, merge: 1 };
      // The reference divides the scores by `sqrt(channels)`, but the kernel does not. The
      // reference's queries are therefore multiplied by `sqrt(channels)` first.
      const q = apply(normed, {
        rows: queries.rows.map((v) => v * Math.sqrt(channels)) as Float32Array<ArrayBuffer>,
        bias: queries.bias.map((v) => v * Math.sqrt(channels)) as Float32Array<ArrayBuffer>,
      });
      const scores = groupScoresReference(q, normed, table, { ...sizes, query: 0, key: 0 });
      const expected = (given: Scores) =>
        addReference(x, apply(groupMixReference(normed, given, { ...sizes, first: 0 }), values));
      const follow = following(next, channels, loading);
      const run = (own: boolean, given: Float32Array<ArrayBuffer>) =>
        runKernel(
          normedAttentionKernel(
            { grouping, channels, epsilon: EPSILON, own: own ? { table: true } : null, next },
            loading,
          ),
          {
            grid: groupGrid(grouping, width, height, 1),
            params: [width, height, 0, grouping.kind === 'spread' ? 1 : 0],
            reads: [
              toBlocked(x),
              concatFloats([
                packMatrices(values.rows, channels, channels, loading),
                ...(own ? [packMatrices(queries.rows, channels, channels, loading)] : []),
                ...follow.matrices,
              ]),
              concatFloats([
                packBias(values.bias, channels),
                ...(own ? [packBias(queries.bias, channels)] : []),
                ...follow.biases,
              ]),
              own ? table : given,
            ],
            writes: [
              ...(own ? [width * height * 64] : []),
              words(channels, width, height),
              ...(next ? [words(next.channels, width, height)] : []),
            ],
            rowsPerDispatch: 1,
          },
        );
      const wanted = expected(scores);
      const [stored, y, z] = await run(true, table);
      expectClose(written(stored), scores.data, { abs: 1e-4 });
      expectMap(y, wanted);
      for (const map of follow.of(wanted)) expectMap(z, map, 1e-3);
      const [again, last] = await run(false, scores.data);
      expectMap(again, wanted);
      for (const map of follow.of(wanted)) expectMap(last, map, 1e-3);
    });
  });
});
