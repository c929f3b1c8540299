/**
 * Tests the kernels of non-local attention with f16 maps. Values that the kernels store as f32 must
 * keep f32 precision.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestF16Adapter, testGpu } from '../../../test/gpu.ts';
import { expectClose, randomMap, randomValues, runKernel, written } from '../../../test/kernels.ts';
import {
  compareGolden,
  findGoldenCases,
  isOff,
  readGoldenCases,
  type TensorComparison,
} from '../../cli/golden-cases.ts';
import { Engine } from '../../engine/engine.ts';
import { decodeElements, encodeElements } from '../../engine/gpu/element.ts';
import { trace } from '../../engine/oracle/traceNetwork.ts';
import type { Backend } from '../../node/backend.ts';
import { blocksOf, mapGrid } from '../kernel.ts';
import { fromBlocked, type PlanarMap, toBlocked } from '../planar.ts';
import {
  argmaxReference,
  attendReference,
  attentionReference,
  clusterMeansReference,
  inverseReference,
  keySoftmaxReference,
  rankReference,
  sampleKeysReference,
  similarityReference,
  startMeansReference,
  type Table,
} from './nonlocal.reference.ts';
import {
  clusterMeansKernel,
  gatherGrid,
  gatherRowsKernel,
  keyBlocks,
  keySoftmaxKernel,
  lineGrid,
  mergeGrid,
  mergeRowsKernel,
  plainProducts,
  type RowProducts,
  rowNormsKernel,
  sampleKeysKernel,
  startMeansKernel,
  windowParams,
} from './nonlocal.ts';
import { quadProducts } from './nonlocalQuad.ts';
import { packRows, unpackRows } from './rows.ts';

const adapter = await requestF16Adapter();
const hasSubgroups = adapter?.features.has('subgroups') ?? false;

/** The tolerance for f16 values, which have 11 significant bits. */
const HALF = { abs: 1e-3, rel: 1e-3 };

const table = (data: Table['data'], ...dims: number[]): Table => ({ dims, data });

/**
 * Rounds values to f16, so that the reference starts from exactly the values that the kernel reads.
 */
const halves = (values: Float32Array): Float32Array<ArrayBuffer> =>
  decodeElements(
    encodeElements(Float32Array.from(values), 'f16').buffer,
    'f16',
  ) as Float32Array<ArrayBuffer>;

const halfMap = (channels: number, height: number, width: number, seed: number): PlanarMap => {
  const map = randomMap(channels, height, width, seed);
  return { ...map, data: halves(map.data) };
};

/** Converts a map to the layout for `runKernel`, which stores it as f16. */
const encoded = (map: PlanarMap): Float32Array<ArrayBuffer> => toBlocked(map);

/** Returns the planar values of a map that a kernel wrote as f16. */
const decoded = (words: Uint32Array, { channels, height, width }: PlanarMap): Float32Array =>
  fromBlocked(written(words), channels, height, width).data;

/** Compares values with a tolerance that is far below the rounding error of f16. */
function expectF32(actual: Float32Array, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const off = actual.map((v, i) => Math.abs(v - expected[i]) / (1 + Math.abs(expected[i])));
  expect(Math.max(...off)).toBeLessThan(2e-5);
}

const PRODUCTS: [string, RowProducts][] = [
  ['plain', plainProducts],
  ...(hasSubgroups ? [['by quads', quadProducts] as [string, RowProducts]] : []),
];

describe.skipIf(!adapter)('maps in f16', () => {
  it.each(PRODUCTS)('similarity to centroids stays f32 (%s)', async (_, products) => {
    const x = halfMap(9, 5, 13, 3);
    const [length, rounds, clusters] = [65, 2, 21];
    const means = randomValues(rounds * clusters * 9, 4);
    const spec = { rounds, clusters, normalised: true };
    const expected = similarityReference(x, means, spec);
    const [similar] = await runKernel(
      products.similarity({ channels: 9, clusters, normalised: true }, 'f16'),
      {
        grid: products.similarityGrid(length, clusters, rounds),
        params: [length],
        reads: [encoded(x), packRows(means, 9)],
        writes: [rounds * length * blocksOf(clusters) * 4],
      },
    );
    const found = unpackRows(written(similar), clusters);
    expectF32(found, expected.data);
    const codes = argmaxReference(table(found, rounds, length, clusters));
    expect(codes).toEqual(argmaxReference(expected));
  });

  it('k-means keeps its centroids in f32', async () => {
    const [x, rounds, clusters] = [halfMap(6, 7, 9, 5), 2, 5];
    const size = rounds * clusters * blocksOf(6) * 4;
    const [start] = await runKernel(startMeansKernel(6, clusters, 'f16'), {
      grid: lineGrid(clusters * blocksOf(6), rounds),
      params: [63],
      reads: [encoded(x)],
      writes: [size],
    });
    const starts = startMeansReference(x, rounds, clusters);
    expectF32(unpackRows(written(start), 6), starts.data);
    const codes = Uint32Array.from(
      { length: rounds * 63 },
      (_, i) => ((i * 7) % 4) + Math.floor(i / 63) * clusters,
    );
    const { data: order } = inverseReference(rankReference(table(codes, codes.length)));
    const [means] = await runKernel(clusterMeansKernel(6, clusters, 'f16'), {
      grid: [clusters, 1, rounds],
      params: [63],
      reads: [encoded(x), codes, order, written(start) as Float32Array<ArrayBuffer>],
      writes: [size],
    });
    expectF32(
      unpackRows(written(means), 6),
      clusterMeansReference(x, table(codes, codes.length), starts).data,
    );
  });

  it.each(
    PRODUCTS.flatMap(([name, products]) =>
      (
        [
          [5, 3, 16, 2],
          [13, 5, 20, 1],
          [8, 8, 64, 1],
          [9, 8, 33, 2],
        ] as const
      ).map((sizes) => [name, ...sizes, products] as const),
    ),
  )(
    'attention %s, %i x %i, windows of %i, %i rounds: weights and log-sum-exp stay f32',
    async (_, width, height, window, rounds, products) => {
      const x = halfMap(6, height, width, 1);
      const value = halfMap(37, height, width, 2);
      const length = width * height;
      const windows = Math.ceil(length / window);
      const padded = windows * window;
      const spec = { window, spans: 3, rounds } as const;
      const keys = Uint32Array.from(
        { length: rounds * length },
        (_, i) => ((i * 5) % 9) + 9 * Math.floor(i / length),
      );
      const rank = rankReference(table(keys, keys.length));
      const order = inverseReference(rank);
      const gather = async (map: PlanarMap) => {
        const [rows] = await runKernel(gatherRowsKernel(map.channels, 'f16'), {
          grid: gatherGrid(map.channels, padded, rounds),
          params: [length, padded],
          reads: [encoded(map), order.data],
          writes: [rounds * padded * blocksOf(map.channels) * 4],
        });
        return written(rows) as Float32Array<ArrayBuffer>;
      };
      const [rows, values] = [await gather(x), await gather(value)];
      const [norms] = await runKernel(rowNormsKernel(6, 'f16'), {
        grid: lineGrid(rounds * padded),
        params: [rounds * padded],
        reads: [rows],
        writes: [rounds * padded],
      });
      const [weights, lse] = await runKernel(products.scores('f16'), {
        grid: products.scoresGrid(window, rounds * windows),
        params: windowParams({ ...spec, channels: 6 }, windows, 0),
        reads: [rows, written(norms) as Float32Array<ArrayBuffer>],
        writes: [rounds * padded * keyBlocks(spec) * 4, rounds * padded],
      });
      const expected = attentionReference(x, order, spec);
      expectF32(written(lse), expected.lse);
      expectF32(unpackRows(written(weights), 3 * window), expected.data);
      const mix = { ...spec, channels: 37 };
      const [mixed] = await runKernel(products.mix('f16'), {
        grid: products.mixGrid(mix, rounds * windows),
        params: windowParams(mix, windows, 0),
        reads: [written(weights) as Float32Array<ArrayBuffer>, values],
        writes: [rounds * padded * blocksOf(37) * 4],
      });
      const [y] = await runKernel(mergeRowsKernel(37, rounds, 'f16'), {
        grid: mergeGrid(length, 37),
        params: [length, padded, 0],
        reads: [
          written(mixed) as Float32Array<ArrayBuffer>,
          rank.data,
          written(lse) as Float32Array<ArrayBuffer>,
        ],
        writes: [blocksOf(37) * 4 * length],
      });
      const all = table(expected.lse, rounds, padded);
      const sums = attendReference(value, order, rank, expected, all);
      expectClose(decoded(y, sums), sums.data, HALF);
    },
  );

  it('softmax of keys behind a gate', async () => {
    const [a, b] = [halfMap(9, 5, 7, 1), halfMap(9, 5, 7, 2)];
    for (const gate of [null, 'zero', 'exclude', 'soft', 'columns'] as const) {
      const [y] = await runKernel(keySoftmaxKernel(9, gate, 'f16'), {
        grid: mapGrid(7, 5, 1),
        params: [7, 5],
        reads: [encoded(a), encoded(b)],
        writes: [blocksOf(9) * 4 * 35],
      });
      const expected = keySoftmaxReference(a, gate ? b : null, gate);
      expectClose(decoded(y, expected), expected.data, HALF);
    }
  });

  it('keys at offsets', async () => {
    const [x, weights, offsets] = [
      halfMap(6, 9, 17, 1),
      halfMap(5, 9, 17, 3),
      halfMap(10, 9, 17, 4),
    ];
    offsets.data.set(halves(offsets.data.map((v, i) => v * (i % 3 === 0 ? 1e4 : 4))));
    const spec = { first: 1, keys: 3, offsets: 'paired' } as const;
    const [y] = await runKernel(sampleKeysKernel({ ...spec, add: false }, 'f16'), {
      grid: mapGrid(17, 9, 2),
      params: [17, 9],
      reads: [weights, offsets, x, x].map(encoded),
      writes: [blocksOf(6) * 4 * 17 * 9],
    });
    const expected = sampleKeysReference(weights, offsets, x, null, spec);
    expectClose(decoded(y, expected), expected.data, HALF);
  });
});

describe.skipIf(!adapter)('networks in f16', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.create({ gpu: testGpu() });
  });
  afterAll(() => engine.destroy());

  it.each(findGoldenCases('lcoan_tiny_x2*').filter((file) => file.includes('test/golden')))(
    '%s: the codes are those of f32',
    async (file) => {
      const cases = await readGoldenCases(file);
      if ('missing' in cases) throw new Error(`${cases.name}: no network ${cases.missing}`);
      const all: TensorComparison[] = [];
      for (const golden of cases) {
        const backend: Pick<Backend, 'trace'> = {
          trace: (network, weights, input, taps, options) =>
            trace(engine, network, weights, input, taps, { ...options, precision: 'f16' }),
        };
        all.push(...(await compareGolden(golden, backend, { fuse: false })));
      }
      const whole = all.filter(({ tensor }) => /codes|order/.test(tensor));
      expect(whole.length).toBeGreaterThan(0);
      expect(whole.filter(({ maxAbs }) => maxAbs !== 0)).toEqual([]);
      expect(all.filter((comparison) => isOff(comparison, 5e-3))).toEqual([]);
    },
  );
});
