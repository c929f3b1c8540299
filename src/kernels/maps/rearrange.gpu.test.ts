import { describe, expect, it } from 'vitest';
import {
  expectClose,
  randomMap,
  randomValues,
  runKernel,
  testsQuads,
  written,
} from '../../../test/kernels.ts';
import { convReference } from '../conv/conv.reference.ts';
import { type ConvVariant, packBias, packConvWeights, shapeGrid } from '../conv/conv.ts';
import {
  convPartsKernel,
  convPartsParams,
  type PartsConvSpec,
  partsShape,
} from '../conv/convParts.ts';
import { quadConv } from '../conv/convQuad.ts';
import { stripConv } from '../conv/convStrips.ts';
import { blocksOf, mapGrid } from '../kernel.ts';
import { fromBlocked, type PlanarMap, toBlocked } from '../planar.ts';
import { activationReference, addReference, preluReference } from './pointwise.reference.ts';
import {
  concatReference,
  pixelShuffleReference,
  pixelUnshuffleReference,
} from './rearrange.reference.ts';
import { concatKernel, pixelShuffleKernel } from './rearrange.ts';

/**
 * The sizes cover a single pixel, thin and odd shapes, exactly one workgroup, and more than one
 * workgroup.
 */
const SIZES = [
  [1, 1],
  [1, 5],
  [7, 3],
  [8, 8],
  [9, 17],
] as const;

const maps = (channels: readonly number[], height: number, width: number): PlanarMap[] =>
  channels.map((count, i) => randomMap(count, height, width, 20 + i));

/**
 * Returns the contents of all five input bindings. If there are fewer than five parts, the other
 * bindings contain the first part again.
 */
const bound = (parts: readonly PlanarMap[]) =>
  Array.from({ length: 5 }, (_, i) => toBlocked(parts[i] ?? parts[0]));

/** Returns the values in the unused lanes of the last block of four channels. */
function absentLanes(blocked: Float32Array, channels: number, pixels: number): Float32Array {
  const last = blocked.subarray((blocksOf(channels) - 1) * 4 * pixels);
  return last.filter((_, i) => i % 4 > (channels - 1) % 4);
}

describe('concatenation', () => {
  it.each(
    SIZES.flatMap(([w, h]) =>
      [
        [3, 2],
        [8, 4, 4],
        [1, 1, 1],
        [6, 5, 4, 3, 2],
      ].map((c) => [w, h, c] as const),
    ),
  )('at %i x %i of %j', async (width, height, channels) => {
    const parts = maps(channels, height, width);
    const expected = concatReference(parts);
    const blocks = blocksOf(expected.channels);
    const [y] = await runKernel(concatKernel(channels), {
      grid: mapGrid(width, height, blocks),
      params: [width, height],
      reads: bound(parts),
      writes: [blocks * 4 * width * height],
    });
    const blocked = written(y);
    expect(fromBlocked(blocked, expected.channels, height, width).data).toEqual(expected.data);
    expect(absentLanes(blocked, expected.channels, width * height).every((v) => v === 0)).toBe(
      true,
    );
  });
});

describe('pixel shuffle', () => {
  it.each(
    SIZES.flatMap(([w, h]) =>
      [
        [2, 3],
        [3, 3],
        [4, 3],
        [2, 10],
        [3, 1],
      ].map(([s, c]) => [w, h, s, c] as const),
    ),
  )('of %i x %i by %i to %i channels, and back', async (width, height, scale, channels) => {
    const x = randomMap(channels * scale ** 2, height, width);
    const expected = pixelShuffleReference(x, scale);
    const [W, H] = [width * scale, height * scale];
    const blocks = blocksOf(channels);
    const [y] = await runKernel(pixelShuffleKernel('pixelShuffle', scale, channels), {
      grid: mapGrid(W, H, blocks),
      params: [W, H],
      reads: [toBlocked(x)],
      writes: [blocks * 4 * W * H],
    });
    const blocked = written(y);
    expect(fromBlocked(blocked, channels, H, W).data).toEqual(expected.data);
    expect(absentLanes(blocked, channels, W * H).every((v) => v === 0)).toBe(true);

    const back = pixelUnshuffleReference(expected, scale);
    expect(back).toEqual(x);
    const [z] = await runKernel(pixelShuffleKernel('pixelUnshuffle', scale, x.channels), {
      grid: mapGrid(width, height, blocksOf(x.channels)),
      params: [width, height],
      reads: [toBlocked(expected)],
      writes: [blocksOf(x.channels) * 4 * width * height],
    });
    expect(fromBlocked(written(z), x.channels, height, width).data).toEqual(x.data);
  });

  it('has the order of channels of PyTorch', () => {
    // The result has two channels of 2 x 2 pixels. The value in row `dy` and column `dx` of channel
    // `c` comes from input channel `c * 4 + dy * 2 + dx`.
    const x = {
      channels: 8,
      height: 1,
      width: 1,
      data: Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]),
    };
    expect([...pixelShuffleReference(x, 2).data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const wide = { ...x, width: 2, data: Float32Array.from({ length: 16 }, (_, i) => i) };
    expect([...pixelShuffleReference(wide, 2).data.subarray(0, 8)]).toEqual([
      0, 2, 1, 3, 4, 6, 5, 7,
    ]);
  });
});

interface Case {
  readonly kernel: 1 | 3;
  readonly parts: readonly number[];
  readonly cOut: number;
  readonly width: number;
  readonly height: number;
  /**
   * The index of the part that is added to the result. With `own`, an additional map is added
   * instead of a part.
   */
  readonly addend?: number | 'own';
  readonly prelu?: boolean;
  readonly rowsPerDispatch?: number;
  /** The variant that determines the kernel's shape. By default, it is `partsShape`. */
  readonly variant?: ConvVariant | undefined;
}

async function checkConv(test: Case): Promise<void> {
  const { kernel, parts, cOut, width, height, addend, prelu, rowsPerDispatch, variant } = test;
  const cIn = parts.reduce((sum, count) => sum + count, 0);
  const inputs = maps(parts, height, width);
  const all = addend === 'own' ? [...inputs, randomMap(cOut, height, width, 9)] : inputs;
  const index = addend === 'own' ? inputs.length : (addend ?? 0);
  const w = randomValues(cOut * cIn * kernel ** 2, 2);
  const b = randomValues(cOut, 3);
  const slopes = prelu ? randomValues(cOut, 4) : null;
  const lrelu = { fn: 'leakyRelu', slope: 0.1 } as const;
  const spec: PartsConvSpec = {
    kernel,
    cIn,
    cOut,
    parts,
    upsample: 1,
    multiply: false,
    act0: prelu ? 'prelu' : null,
    add: addend !== undefined,
    addend: index,
    factor: addend === undefined ? 1 : 0.2,
    act1: lrelu,
  };
  let expected = convReference(concatReference(inputs), w, b, cOut, kernel);
  if (slopes) expected = preluReference(expected, slopes);
  if (addend !== undefined) expected = addReference(all[index], expected, 0.2);
  expected = activationReference(expected, lrelu);

  const shape = variant?.shape?.(spec) ?? partsShape(kernel);
  const packed = packConvWeights(w, cOut, cIn, kernel, parts);
  const weights = variant?.packing?.arrange(packed, spec) ?? packed;
  const constants = variant?.overParts?.(spec, parts.length, all.length);
  const [y] = await runKernel(convPartsKernel(kernel, 'f32', shape, constants), {
    grid: shapeGrid(shape, cOut, width, height),
    params: convPartsParams(spec, width, height),
    reads: [...bound(all), weights, packBias(b, cOut, slopes)],
    writes: [blocksOf(cOut) * 4 * width * height],
    ...(rowsPerDispatch === undefined ? {} : { rowsPerDispatch }),
  });
  expectClose(fromBlocked(written(y), cOut, height, width).data, expected.data, { abs: 2e-5 });
}

const STRIPS = { pixels: 8, blocks: 2 } as const;
const VARIANTS: readonly [name: string, variant?: ConvVariant][] = [
  ['plain'],
  ['strips', stripConv(STRIPS)],
  ['uniform', stripConv({ ...STRIPS, weights: 'uniform' })],
  ['shared', stripConv({ ...STRIPS, weights: 'workgroup' })],
  ['halo', stripConv({ ...STRIPS, weights: 'workgroup', halo: true })],
];
const QUADS: typeof VARIANTS = [
  ['quads', quadConv(null)],
  ['quads of 3 blocks', quadConv(3)],
];
const hasQuads = await testsQuads();

describe.each(
  ([1, 3] as const).flatMap((kernel) =>
    [...VARIANTS, ...(hasQuads ? QUADS : [])].map(([name, variant]) => ({ kernel, name, variant })),
  ),
)('convolution of side $kernel over parts, $name', ({ kernel, variant }) => {
  it.each([
    [1, 1],
    [1, 7],
    [9, 1],
    [13, 11],
    [32, 16],
    [33, 17],
    [32, 32],
    [33, 33],
  ])('at %i x %i', (width, height) =>
    checkConv({ kernel, parts: [4, 8], cOut: 4, width, height, variant }),
  );

  it.each<[string, Omit<Case, 'kernel' | 'width' | 'height'>]>([
    ['20 + 20, as in PAN, with an addend of its own', { parts: [20, 20], cOut: 40, addend: 'own' }],
    [
      '6 + 4 + 4 + 4 + 4, as in a dense block, on its first',
      { parts: [6, 4, 4, 4, 4], cOut: 6, addend: 0 },
    ],
    ['an addend in the middle', { parts: [5, 3, 7], cOut: 3, addend: 1 }],
    ['four parts and a PReLU', { parts: [1, 2, 3, 5], cOut: 7, prelu: true }],
  ])('%s', (_, rest) => checkConv({ ...rest, kernel, width: 7, height: 5, variant }));

  it('cut into pieces along y', () =>
    checkConv({
      kernel,
      parts: [4, 4],
      cOut: 4,
      width: 6,
      height: 61,
      rowsPerDispatch: 2,
      variant,
    }));
});
