import { describe, expect, it } from 'vitest';
import {
  ELEMENT,
  expectClose,
  randomMap,
  randomValues,
  runKernel,
  written,
} from '../../../test/kernels.ts';
import { convReference } from '../conv/conv.reference.ts';
import { packBias } from '../conv/conv.ts';
import { blocksOf, tileColumnGrid } from '../kernel.ts';
import {
  activationReference,
  addReference,
  mixReference,
  mulReference,
} from '../maps/pointwise.reference.ts';
import { fromBlocked, type PlanarMap, toBlocked } from '../planar.ts';
import { globalAveragePoolReference } from '../vector/pool.reference.ts';
import { poolChunks, poolPartialGrid, poolPartialKernel } from '../vector/pool.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../vector/vector.reference.ts';
import {
  type AttentionMixSpec,
  attentionGateKernel,
  attentionGroups,
  attentionMixKernel,
  packAttentionGate,
  packAttentionMix,
  statGroups,
} from './attentionBlock.ts';

const slope = 0.2;
const lrelu = (x: PlanarMap) => activationReference(x, { fn: 'leakyRelu', slope });

/** Computes the partial sums of `x` with the pooling kernel. */
async function partialSums(
  x: PlanarMap,
): Promise<{ partials: Float32Array<ArrayBuffer>; chunks: number }> {
  const pixels = x.width * x.height;
  const chunks = poolChunks(pixels);
  const [partials] = await runKernel(poolPartialKernel(x.channels), {
    grid: poolPartialGrid(x.channels, pixels),
    params: [pixels, chunks],
    reads: [toBlocked(x)],
    writes: [chunks * blocksOf(x.channels) * 4],
  });
  return { partials: written(partials) as Float32Array<ArrayBuffer>, chunks };
}

async function checkBlock(
  width: number,
  height: number,
  options: Partial<AttentionMixSpec> & { hasNext?: boolean; rowsPerDispatch?: number } = {},
): Promise<void> {
  const { features = 8, hidden = 2, nonKernel = 3, hasNext = true, tileColumns = 8 } = options;
  const { rowsPerDispatch } = options;
  const spec: AttentionMixSpec = {
    features,
    hidden,
    nonKernel,
    slope,
    tileColumns,
    temperature: 30,
  };
  const blocks = blocksOf(features);
  const words = blocks * 4 * width * height;
  const conv3 = (seed: number) =>
    randomValues(features ** 2 * 9, seed).map((v) => v / 4) as Float32Array<ArrayBuffer>;
  const conv1 = (seed: number) => randomValues(features ** 2, seed);
  const t = randomMap(features, height, width, 1);
  const x = randomMap(features, height, width, 2);
  const [k1, k2, k3, b2] = [conv3(3), conv1(4), conv3(5), randomValues(features, 6)];
  const split = rowsPerDispatch === undefined ? {} : { rowsPerDispatch };

  const { partials, chunks } = await partialSums(t);
  const [gatedWords, statWords] = await runKernel(attentionGateKernel(spec), {
    grid: tileColumnGrid(tileColumns, width, height),
    params: [width, height, 0, chunks, statGroups(tileColumns, width, height)],
    reads: [
      toBlocked(t),
      packAttentionGate(spec, { k1, k2, k3 }),
      packBias(b2, features),
      partials,
    ],
    writes: [words, statGroups(tileColumns, width, height) * blocks * 4],
    ...split,
  });
  const gate = activationReference(
    convReference(lrelu(convReference(t, k1, null, features, 3)), k2, b2, features, 1),
    { fn: 'sigmoid' },
  );
  const gatedExpected = mulReference(convReference(t, k3, null, features, 3), gate);
  const gated = fromBlocked(written(gatedWords), features, height, width);
  expectClose(gated.data, gatedExpected.data, { abs: 2e-5 });

  const w1 = randomValues(hidden * features, 7).map((v) => 300 * v) as Float32Array<ArrayBuffer>;
  const w2 = randomValues(2 * hidden, 8);
  const [k4, non, last, first] = [
    conv3(9),
    nonKernel === 3 ? conv3(10) : conv1(10),
    conv1(11),
    conv1(12),
  ];
  const [outWords, nextWords, sumWords] = await runKernel(attentionMixKernel(spec), {
    grid: tileColumnGrid(tileColumns, width, height),
    params: [
      width,
      height,
      0,
      statGroups(tileColumns, width, height),
      hasNext ? 1 : 0,
      width * height,
    ],
    reads: [
      toBlocked(gatedExpected),
      toBlocked(t),
      toBlocked(x),
      packAttentionMix(spec, { k4, non, last, first: hasNext ? first : null, w1, w2 }),
      written(statWords) as Float32Array<ArrayBuffer>,
    ],
    writes: [
      words,
      hasNext ? words : 4,
      hasNext ? attentionGroups(tileColumns, width, height) * blocks * 4 : 4,
    ],
    ...split,
  });
  const v = globalAveragePoolReference(t);
  const z = vectorActivationReference(linearReference(v, w1, hidden), { fn: 'relu' });
  const p = softmaxReference(linearReference(z, w2, 2), 30);
  const mixed = mixReference(
    convReference(gatedExpected, k4, null, features, 3),
    convReference(t, non, null, features, nonKernel),
    p,
  );
  const out = addReference(x, convReference(lrelu(mixed), last, null, features, 1));
  expectClose(fromBlocked(written(outWords), features, height, width).data, out.data, {
    abs: 5e-5,
  });
  if (!hasNext) {
    expect(() => written(nextWords)).toThrow(/not written/);
    return;
  }
  const next = lrelu(convReference(out, first, null, features, 1));
  expectClose(fromBlocked(written(nextWords), features, height, width).data, next.data, {
    abs: 1e-4,
  });
  const sums = written(sumWords);
  const mean = globalAveragePoolReference(next).map((_, channel) => {
    let sum = 0;
    for (let i = channel; i < sums.length; i += blocks * 4) sum += sums[i];
    return sum / (width * height);
  });
  expectClose(mean, globalAveragePoolReference(next), { abs: 2e-5 });
}

describe('attention-in-attention block in two kernels', () => {
  it.each([
    [1, 1],
    [3, 9],
    [8, 8], // Exactly one workgroup.
    [9, 7],
    [17, 13],
    [72, 65], // Only some of the workgroups of the gate kernel write sums.
  ])('at %i x %i', (width, height) => checkBlock(width, height));

  // With 40 channels, the f16 versions of these kernels take minutes to compile with a software
  // driver. src/engine/f16.f16.test.ts runs them as part of the network A2N.
  it.skipIf(ELEMENT === 'f16')('of 40 channels', () =>
    checkBlock(11, 6, { features: 40, hidden: 10 }),
  );
  it('of channels that are no multiple of four', () =>
    checkBlock(10, 9, { features: 6, hidden: 3 }));
  it('with a 1x1 non-attention branch (A2N-M)', () => checkBlock(9, 10, { nonKernel: 1 }));
  it('in tiles of 16 rows', () => checkBlock(13, 37, { tileColumns: 16 }));
  it('as the last block', () => checkBlock(9, 10, { hasNext: false }));
  it('cut into pieces along y', () => checkBlock(20, 50, { rowsPerDispatch: 2 }));
});
