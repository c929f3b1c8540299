import { describe, expect, it } from 'vitest';
import { TEST_MATRIX_BYTES } from '../../../test/gpu.ts';
import {
  ELEMENT,
  expectClose,
  randomMap,
  randomValues,
  requestKernelAdapter,
  runKernel,
  testsQuads,
  written,
} from '../../../test/kernels.ts';
import { matrixUnit } from '../../engine/gpu/matrix.ts';
import { CONV_VARIANTS } from '../../engine/tune/tuning.ts';
import type { Activation } from '../../graph/graph.ts';
import { blocksOf } from '../kernel.ts';
import { nearestReference } from '../maps/enlarge.reference.ts';
import {
  activationReference,
  addReference,
  mixReference,
  mulReference,
  preluReference,
} from '../maps/pointwise.reference.ts';
import { fromBlocked, type PlanarMap, toBlocked } from '../planar.ts';
import { globalAveragePoolReference } from '../vector/pool.reference.ts';
import { convReference } from './conv.reference.ts';
import {
  type ConvSpec,
  type ConvVariant,
  convParams,
  packBias,
  packConvWeights,
  plainConv,
} from './conv.ts';
import { quadBlocks, quadConv } from './convQuad.ts';

const plain: Omit<ConvSpec, 'kernel' | 'cIn' | 'cOut'> = {
  upsample: 1,
  act0: null,
  multiply: false,
  add: false,
  factor: 1,
  act1: null,
};
const lrelu: Activation = { fn: 'leakyRelu', slope: 0.2 };

interface Case {
  spec: ConvSpec;
  /** The width and height of the input. */
  width: number;
  height: number;
  bias?: boolean;
  rowsPerDispatch?: number;
}

/** The maximum relative rounding error of one operation in f16. */
const HALF_UNIT = 2 ** -11;

/**
 * Returns the allowed error of each output value of a kernel with `ConvShape.half`. Such a kernel
 * uses f16 to sum the products of each block of four input channels. The allowed error is two
 * standard deviations of a random walk with `4 * kernel^2` steps, one per rounding. Each step is
 * `HALF_UNIT` times the typical size of the sum, which is the square root of the sum of the squared
 * products. If a kernel leaves out a product, its error is about ten times as large as the allowed
 * one.
 */
function halfSums(x: PlanarMap, w: Float32Array<ArrayBuffer>, spec: ConvSpec): Float32Array {
  const squares = { ...x, data: x.data.map((v) => v * v) };
  const { cOut, kernel, upsample } = spec;
  const source = nearestReference(squares, upsample);
  const sums = convReference(
    source,
    w.map((v) => v * v),
    null,
    cOut,
    kernel,
  );
  const steps = Math.sqrt(4 * kernel ** 2);
  return sums.data.map((v) => 2e-5 + 2 * HALF_UNIT * steps * Math.sqrt(v));
}

async function check(
  variant: ConvVariant,
  { spec, width, height, bias = true, rowsPerDispatch }: Case,
): Promise<void> {
  const { kernel, cIn, cOut, upsample } = spec;
  const x = randomMap(cIn, height, width, 1);
  const w = randomValues(cOut * cIn * kernel ** 2, 2);
  const b = bias ? randomValues(cOut, 3) : null;
  const slopes = randomValues(cOut, 6);
  const [W, H] = [width * upsample, height * upsample];
  const m = randomMap(cOut, H, W, 4);
  const r = randomMap(cOut, H, W, 5);

  let expected: PlanarMap = convReference(nearestReference(x, upsample), w, b, cOut, kernel);
  if (spec.act0 === 'prelu') expected = preluReference(expected, slopes);
  else if (spec.act0) expected = activationReference(expected, spec.act0);
  const weights = randomValues(4, 7);
  if (spec.mix !== undefined) {
    const own = spec.mix === 0 ? weights : weights.subarray(0, 2).toReversed();
    expected = mixReference(expected, r, own);
  }
  if (spec.multiply) expected = mulReference(expected, m);
  if (spec.add) expected = addReference(r, expected, spec.factor);
  if (spec.act1) expected = activationReference(expected, spec.act1);

  const packed = packConvWeights(w, cOut, cIn, kernel);
  const grid = variant.grid(spec, W, H);
  const parts = grid[0] * grid[1];
  const [y, sums] = await runKernel(variant.kernel(spec, 'f32'), {
    grid,
    params: convParams(spec, W, H),
    reads: [
      toBlocked(x),
      variant.packing?.arrange(packed, spec) ?? packed,
      packBias(b, cOut, spec.act0 === 'prelu' ? slopes : null),
      spec.mix === undefined ? toBlocked(m) : weights,
      toBlocked(r),
    ],
    writes: [blocksOf(cOut) * 4 * W * H, ...(spec.pool ? [parts * blocksOf(cOut) * 4] : [])],
    ...(rowsPerDispatch === undefined ? {} : { rowsPerDispatch }),
  });
  const blocked = written(y);
  const abs = variant.shape?.(spec).half ? halfSums(x, w, spec) : 2e-5;
  expectClose(fromBlocked(blocked, cOut, H, W).data, expected.data, { abs });
  if (spec.pool) {
    const partials = written(sums);
    const mean = Array.from({ length: cOut }, (_, c) => {
      let sum = 0;
      for (let part = 0; part < parts; part++) sum += partials[part * blocksOf(cOut) * 4 + c];
      return sum / (W * H);
    });
    expectClose(mean, globalAveragePoolReference(expected), { abs: abs as number });
  }
  // Without `act0`, the unused channels of the last block of four must be zero, because the next
  // layer reads the whole block.
  if (!spec.act0 && cOut % 4 !== 0) {
    const last = blocked.subarray((blocksOf(cOut) - 1) * 4 * W * H);
    expect(last.filter((_, i) => i % 4 >= cOut % 4).every((v) => v === 0)).toBe(true);
  }
}

const adapter = await requestKernelAdapter();
const OFFER = {
  features: [...(adapter?.features ?? [])],
  matrix: adapter ? matrixUnit(adapter, TEST_MATRIX_BYTES) : undefined,
};
const LISTED: (readonly [string, ConvVariant])[] = await Promise.all(
  Object.entries(CONV_VARIANTS)
    .filter(([, { offered }]) => offered(OFFER))
    .map(async ([name, { load }]) => [name, await load(OFFER)] as const),
);
if (await testsQuads()) LISTED.push(['quad', quadConv(null)]);
const VARIANTS = LISTED.filter(([, { only = ELEMENT }]) => only === ELEMENT);
const ALL = VARIANTS.flatMap(([name, variant]) =>
  ([1, 3] as const).map((kernel) => [name, kernel, variant] as const),
);

if (ELEMENT === 'f16' && !OFFER.matrix) {
  console.warn('SKIPPED: no adapter with subgroup matrices: that variant is untested here');
  it.skip('convolution (matrix): no adapter with subgroup matrices (Mesa 26 would do)', () => {});
}

describe.each(ALL)('convolution (%s), side %i', (_, kernel, variant) => {
  // The sizes cover a single pixel, a single row or column, and odd widths and heights. Some sizes
  // are those of a workgroup's tile (32 x 8, 32 x 16, 32 x 32, or 16 x 8 for matrices). Others
  // differ from such a size by one pixel in each dimension.
  it.each([
    [1, 1],
    [1, 7],
    [9, 1],
    [13, 11],
    [32, 16],
    [32, 8],
    [33, 17],
    [31, 9],
    [16, 8],
    [17, 9],
    [32, 32],
    [33, 33],
  ])('at %i x %i', (width, height) =>
    check(variant, { spec: { ...plain, kernel, cIn: 8, cOut: 4 }, width, height }),
  );

  it.each([
    [3, 40],
    [40, 10],
    [24, 3],
    [5, 7],
    [1, 1],
  ])('%i -> %i channels, absent ones zero', (cIn, cOut) =>
    check(variant, { spec: { ...plain, kernel, cIn, cOut }, width: 11, height: 5 }),
  );

  it.each<[string, Partial<ConvSpec>]>([
    ['leaky ReLU', { act0: lrelu }],
    ['ReLU', { act0: { fn: 'relu' } }],
    ['sigmoid', { act0: { fn: 'sigmoid' } }],
    ['pixel attention', { act0: { fn: 'sigmoid' }, multiply: true, act1: lrelu }],
    ['SiLU', { act0: { fn: 'silu' } }],
    ['centred sigmoid', { act0: { fn: 'centredSigmoid' } }],
    ['PReLU', { act0: 'prelu' }],
    ['residual', { add: true }],
    ['a fifth of a PReLU added', { act0: 'prelu', add: true, factor: 0.2 }],
    ['mixed with a map', { mix: 0, act1: lrelu }],
    ['a map mixed with an activation', { act0: lrelu, mix: 1 }],
    ['everything', { act0: lrelu, multiply: true, add: true, act1: { fn: 'relu' } }],
  ])('with the epilogue %s', async (_, epilogue) => {
    const spec = { ...plain, ...epilogue, kernel, cIn: 6, cOut: 8 };
    // The test skips epilogues that the variant does not support. For layers with such an epilogue,
    // the engine uses another variant.
    if (variant.takes?.(spec) === false) return;
    await check(variant, { spec, width: 10, height: 9 });
  });

  it('without bias', () =>
    check(variant, {
      spec: { ...plain, kernel, cIn: 4, cOut: 4 },
      width: 6,
      height: 6,
      bias: false,
    }));

  it('cut into pieces along y', () =>
    check(variant, {
      spec: { ...plain, kernel, cIn: 4, cOut: 4 },
      width: 7,
      height: 61,
      rowsPerDispatch: 2,
    }));
});

describe.each(ALL.filter(([, , { pools }]) => pools))(
  'sums of convolution (%s), side %i',
  (_, kernel, variant) => {
    it.each([
      [1, 1, 8, 4],
      [9, 1, 4, 5],
      [13, 11, 8, 40],
      [32, 32, 4, 12],
      [33, 33, 4, 3],
      [65, 9, 3, 24],
    ])('at %i x %i, %i -> %i channels', (width, height, cIn, cOut) =>
      check(variant, {
        spec: { ...plain, kernel, cIn, cOut, act0: lrelu, pool: true },
        width,
        height,
      }),
    );

    it('cut into pieces along y', () =>
      check(variant, {
        spec: { ...plain, kernel, cIn: 4, cOut: 4, pool: true },
        width: 70,
        height: 61,
        rowsPerDispatch: 1,
      }));
  },
);

describe.each(VARIANTS)('convolution 3x3 (%s) through a nearest enlargement', (_, variant) => {
  it.each([
    [2, 1, 1],
    [2, 9, 7],
    [2, 16, 8],
    [3, 11, 5],
    [3, 1, 6],
  ])('x%i at %i x %i', (upsample, width, height) =>
    check(variant, { spec: { ...plain, kernel: 3, cIn: 8, cOut: 6, upsample }, width, height }),
  );
});

it('leaves to the plain kernel what the quads do not know, and few blocks idle', () => {
  const spec: ConvSpec = { ...plain, kernel: 3, cIn: 8, cOut: 8 };
  const { takes } = quadConv(null);
  expect(takes?.(spec)).toBe(true);
  expect(takes?.({ ...spec, act0: { fn: 'sigmoid' }, act1: lrelu })).toBe(true);
  expect(takes?.({ ...spec, act0: { fn: 'silu' } })).toBe(false);
  expect(takes?.({ ...spec, act1: { fn: 'sigmoid' } })).toBe(false);
  expect([3, 8, 16, 24, 40, 64].map((cOut) => quadBlocks({ ...spec, cOut }))).toEqual([
    1, 3, 4, 3, 5, 4,
  ]);
});

it('keeps the sigmoid finite at both ends', async () => {
  const spec: ConvSpec = { ...plain, kernel: 1, cIn: 1, cOut: 1, act0: { fn: 'sigmoid' } };
  const x = { channels: 1, height: 1, width: 3, data: new Float32Array([-3e4, 0, 3e4]) };
  const [y] = await runKernel(plainConv.kernel(spec, 'f32'), {
    grid: plainConv.grid(spec, 3, 1),
    params: convParams(spec, 3, 1),
    reads: [
      toBlocked(x),
      packConvWeights(new Float32Array([1]), 1, 1, 1),
      packBias(null, 1),
      toBlocked(x),
      toBlocked(x),
    ],
    writes: [12],
  });
  expectClose(fromBlocked(written(y), 1, 1, 3).data, [0, 0.5, 1]);
});
