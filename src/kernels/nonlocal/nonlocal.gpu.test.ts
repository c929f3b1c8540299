import { describe, expect, it } from 'vitest';
import { expectClose, randomMap, randomValues, runKernel, written } from '../../../test/kernels.ts';
import { randomStream } from '../../../test/random.ts';
import { paddedRow } from '../../graph/nonlocalOp.ts';
import { blocksOf, mapGrid } from '../kernel.ts';
import { fromBlocked, type PlanarMap, planarMap, toBlocked } from '../planar.ts';
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
  argmaxKernel,
  biasedScoresKernel,
  clusterMeansKernel,
  gatherGrid,
  gatherRowsKernel,
  inverseKernel,
  keyBlocks,
  keySoftmaxKernel,
  lineGrid,
  mergeGrid,
  mergeRowsKernel,
  plainProducts,
  type RowProducts,
  rowNormsKernel,
  sampleKeysKernel,
  sortBlocks,
  sortCountKernel,
  sortGrid,
  sortRankKernel,
  sortScanKernel,
  startMeansKernel,
  windowParams,
} from './nonlocal.ts';
import { quadProducts } from './nonlocalQuad.ts';
import { packRows, unpackRows } from './rows.ts';

type Words = Uint32Array<ArrayBuffer>;

/**
 * Returns the integers that a kernel wrote. Before a kernel runs, all values in its output buffer
 * are above 1e9. If such a value is left, the kernel has not overwritten it, and the test fails.
 */
function whole(words: Uint32Array): Uint32Array {
  expect(words.some((word) => word > 1e9)).toBe(false);
  return words;
}

const table = (data: Table['data'], ...dims: number[]): Table => ({ dims, data });

/** Runs the three steps of the sort and computes the order from the ranks. */
async function sort(codes: Words, rounds: number, clusters: number) {
  const length = codes.length / rounds;
  const blocks = sortBlocks(length);
  const total = clusters * blocks;
  const [counts] = await runKernel(sortCountKernel(clusters), {
    grid: sortGrid(length, rounds),
    params: [length, blocks],
    reads: [codes],
    writes: [rounds * total],
  });
  const [starts] = await runKernel(sortScanKernel(), {
    grid: [1, 1, rounds],
    params: [total],
    reads: [whole(counts) as Words],
    writes: [rounds * total],
  });
  const [rank] = await runKernel(sortRankKernel(clusters), {
    grid: sortGrid(length, rounds),
    params: [length, blocks],
    reads: [codes, whole(starts) as Words],
    writes: [codes.length],
  });
  const [order] = await runKernel(inverseKernel(), {
    grid: lineGrid(codes.length),
    params: [codes.length],
    reads: [whole(rank) as Words],
    writes: [codes.length],
  });
  return { rank: rank as Words, order: whole(order) as Words };
}

describe('stable counting sort', () => {
  const cases: readonly [string, number, number, number, (i: number, random: number) => number][] =
    [
      ...[1, 2, 255, 256, 257, 383, 384, 385, 511, 512, 513, 1023, 1024, 1025].map(
        (length) =>
          [`${length} random codes`, length, 1, 7, (_: number, v: number) => Math.floor(v * 7)] as [
            string,
            number,
            number,
            number,
            (i: number, random: number) => number,
          ],
      ),
      ['one cluster', 700, 1, 1, () => 0],
      ['all in one of many', 700, 1, 128, () => 77],
      ['empty clusters', 700, 1, 300, (i) => (i % 3) * 149],
      ['heavy ties, falling', 1500, 1, 3, (i) => 2 - Math.floor(i / 500)],
      ['two rounds', 600, 2, 5, (_, v) => Math.floor(v * 5)],
    ];
  it.each(cases)('%s', async (_, length, rounds, clusters, code) => {
    const next = randomStream(length);
    const codes = Uint32Array.from(
      { length: rounds * length },
      (_, i) => code(i % length, next()) + Math.floor(i / length) * clusters,
    );
    const { rank, order } = await sort(codes, rounds, clusters);
    const expected = rankReference(table(codes, codes.length));
    expect(rank).toEqual(expected.data);
    expect(order).toEqual(inverseReference(expected).data);
  });
});

const PRODUCTS: [string, RowProducts][] = [
  ['plain', plainProducts],
  ['by quads', quadProducts],
];

describe.each(PRODUCTS)('clustering (%s)', (_, products) => {
  it.each([
    [1, 1, 3, 1],
    [9, 7, 6, 5],
    [8, 8, 8, 4],
    [13, 5, 9, 130],
  ])('%i x %i pixels of %i channels in %i clusters', async (width, height, channels, clusters) => {
    const x = randomMap(channels, height, width, 3);
    const length = width * height;
    const rounds = 2;
    const means = randomValues(rounds * clusters * channels, 4);
    for (const normalised of [true, false]) {
      const spec = { rounds, clusters, normalised };
      const expected = similarityReference(x, means, spec);
      const [similar] = await runKernel(
        products.similarity({ channels, clusters, normalised }, 'f32'),
        {
          grid: products.similarityGrid(length, clusters, rounds),
          params: [length, 0, 0],
          reads: [toBlocked(x), packRows(means, channels)],
          writes: [rounds * length * blocksOf(clusters) * 4],
        },
      );
      expectClose(unpackRows(written(similar), clusters), expected.data);
      const [codes] = await runKernel(argmaxKernel(clusters), {
        grid: lineGrid(length, rounds),
        params: [length],
        reads: [written(similar) as Float32Array<ArrayBuffer>],
        writes: [rounds * length],
      });
      const found = unpackRows(written(similar), clusters);
      expect(whole(codes)).toEqual(argmaxReference(table(found, rounds, length, clusters)).data);
    }
  });

  it('puts the pixels of a constant map, zeros among them, into one cluster', async () => {
    for (const constant of [0, 3]) {
      const x = planarMap(6, 5, 13);
      x.data.fill(constant);
      const spec = { channels: 6, clusters: 17, normalised: true };
      const means = randomValues(17 * 6, 4);
      const [similar] = await runKernel(products.similarity(spec, 'f32'), {
        grid: products.similarityGrid(65, 17, 1),
        params: [65, 0, 0],
        reads: [toBlocked(x), packRows(means, 6)],
        writes: [65 * 20],
      });
      const found = unpackRows(written(similar), 17);
      expectClose(found, similarityReference(x, means, { ...spec, rounds: 1 }).data);
      const { data: codes } = argmaxReference(table(found, 1, 65, 17));
      expect(new Set(codes).size).toBe(1);
      const { order } = await sort(codes as Words, 1, 17);
      expect([...order]).toEqual(Array.from({ length: 65 }, (_, i) => i));
      const [after] = await runKernel(clusterMeansKernel(6, 17), {
        grid: [17, 1, 1],
        params: [65],
        writes: [17 * 8],
        reads: [toBlocked(x), codes, order, packRows(means, 6)],
      });
      const expected = clusterMeansReference(x, table(codes, 65), table(means, 1, 17, 6));
      expectClose(unpackRows(written(after), 6), expected.data);
    }
  });

  it('takes the first of equals', async () => {
    const [codes] = await runKernel(argmaxKernel(3), {
      grid: lineGrid(2, 1),
      params: [2],
      reads: [Float32Array.of(1, 2, 2, 9, 5, 5, 5, 9)],
      writes: [2],
    });
    expect([...whole(codes)]).toEqual([1, 0]);
  });

  it.each([
    [1, 1, 5, 3],
    [9, 7, 6, 5],
    [20, 15, 70, 4],
  ])(
    'k-means over %i x %i pixels of %i channels in %i clusters',
    async (width, height, channels, clusters) => {
      const x = randomMap(channels, height, width, 5);
      const length = width * height;
      const rounds = 2;
      const size = rounds * clusters * blocksOf(channels) * 4;
      const [start] = await runKernel(startMeansKernel(channels, clusters), {
        grid: lineGrid(clusters * blocksOf(channels), rounds),
        params: [length],
        reads: [toBlocked(x)],
        writes: [size],
      });
      const expected = startMeansReference(x, rounds, clusters);
      expectClose(unpackRows(written(start), channels), expected.data, { abs: 0, rel: 0 });
      // The last cluster is empty.
      const codes = Uint32Array.from(
        { length: rounds * length },
        (_, i) => ((i * 7) % Math.max(1, clusters - 1)) + Math.floor(i / length) * clusters,
      );
      const { order } = await sort(codes, rounds, clusters);
      const [means] = await runKernel(clusterMeansKernel(channels, clusters), {
        grid: [clusters, 1, rounds],
        params: [length],
        reads: [toBlocked(x), codes, order, written(start) as Float32Array<ArrayBuffer>],
        writes: [size],
      });
      expectClose(
        unpackRows(written(means), channels),
        clusterMeansReference(x, table(codes, codes.length), expected).data,
      );
    },
  );
});

/** Returns `order`, a random order of `length` pixels for each round, and its inverse, `rank`. */
function shuffled(length: number, rounds: number) {
  const next = randomStream(11);
  const keys = Uint32Array.from(
    { length: rounds * length },
    (_, i) => Math.floor(next() * 9) + 9 * Math.floor(i / length),
  );
  const rank = rankReference(table(keys, keys.length));
  return { rank, order: inverseReference(rank) };
}

describe('scores with an addend', () => {
  it.each([
    [1, 1, 2, 3, 1],
    [5, 3, 8, 3, 2],
    [9, 7, 7, 1, 1],
    [16, 9, 33, 3, 2],
  ] as const)(
    '%i x %i in windows of %i, %i spans, %i rounds',
    async (w, h, window, spans, rounds) => {
      const [x, bias] = [randomMap(6, h, w, 1), randomMap(window, h, w, 2)];
      const { order } = shuffled(w * h, rounds);
      const windows = Math.ceil((w * h) / window);
      const padded = windows * window;
      const gather = async (map: PlanarMap) => {
        const [rows] = await runKernel(gatherRowsKernel(map.channels), {
          grid: gatherGrid(map.channels, padded, rounds),
          params: [w * h, padded],
          reads: [toBlocked(map), order.data],
          writes: [rounds * padded * blocksOf(map.channels) * 4],
        });
        return written(rows) as Float32Array<ArrayBuffer>;
      };
      const rows = await gather(x);
      const [norms] = await runKernel(rowNormsKernel(6), {
        grid: lineGrid(rounds * padded),
        params: [rounds * padded],
        reads: [rows],
        writes: [rounds * padded],
      });
      const spec = { channels: 6, window, spans };
      const [weights, lse] = await runKernel(biasedScoresKernel(), {
        grid: plainProducts.scoresGrid(window, rounds * windows),
        params: { ...windowParams(spec, windows, 0), bias_blocks: blocksOf(window) },
        reads: [rows, written(norms) as Float32Array<ArrayBuffer>, await gather(bias)],
        writes: [rounds * padded * keyBlocks(spec) * 4, rounds * padded],
      });
      const expected = attentionReference(x, order, { rounds, window, spans }, bias);
      expectClose(unpackRows(written(weights), spans * window), expected.data);
      expectClose(written(lse), expected.lse);
    },
  );
});

it('counts the clusters that an image has alone', async () => {
  const similar = randomValues(2 * 5 * 8, 3);
  const [codes] = await runKernel(argmaxKernel(8), {
    grid: lineGrid(5, 2),
    params: { length: 5, in_use: 4 },
    reads: [similar],
    writes: [10],
  });
  // `in_use` is 4, so the kernel compares only the first four clusters. With a chunk size of 2, the
  // reference compares only the first two clusters, because `bucketsOf` returns 2 for five pixels.
  const expected = argmaxReference(table(similar, 2, 5, 8)).data.map((code, i) => {
    const own = [0, 1, 2, 3].map((k) => similar[i * 8 + k]);
    return code - (code % 8) + own.indexOf(Math.max(...own));
  });
  expect([...whole(codes)]).toEqual([...expected]);
  expect(argmaxReference(table(similar, 2, 5, 8), 2).data.every((code) => code % 8 < 2)).toBe(true);
});

/**
 * Computes attention in windows on the GPU, with at most `perSlab` windows at a time. Returns the
 * attention weights, the log-sum-exp of each query's scores, and the output map's values.
 */
async function attend(
  products: RowProducts,
  x: PlanarMap,
  value: PlanarMap,
  { rank, order }: ReturnType<typeof shuffled>,
  spec: { window: number; spans: 1 | 3; rounds: number },
  perSlab: number,
) {
  const length = x.width * x.height;
  const { window, rounds } = spec;
  const windows = Math.ceil(length / window);
  const padded = windows * window;
  const gather = async (map: PlanarMap) => {
    const [rows] = await runKernel(gatherRowsKernel(map.channels), {
      grid: gatherGrid(map.channels, padded, rounds),
      params: [length, padded],
      reads: [toBlocked(map), order.data],
      writes: [rounds * padded * blocksOf(map.channels) * 4],
      rowsPerDispatch: 2,
    });
    return written(rows) as Float32Array<ArrayBuffer>;
  };
  const rows = await gather(x);
  const values = await gather(value);
  const [norms] = await runKernel(rowNormsKernel(x.channels), {
    grid: lineGrid(rounds * padded),
    params: [rounds * padded],
    reads: [rows],
    writes: [rounds * padded],
  });
  const all: number[] = [];
  let lse: Words = new Uint32Array(rounds * padded).fill(0x7fc0dead);
  let mixed: Words = new Uint32Array(rounds * padded * blocksOf(value.channels) * 4).fill(
    0x7fc0dead,
  );
  for (let first = 0; first < rounds * windows; first += perSlab) {
    const count = Math.min(perSlab, rounds * windows - first);
    const scores = await runKernel(products.scores('f32'), {
      grid: products.scoresGrid(window, count),
      params: windowParams({ ...spec, channels: x.channels }, windows, first),
      reads: [rows, written(norms) as Float32Array<ArrayBuffer>],
      writes: [count * window * keyBlocks(spec) * 4, lse],
      rowsPerDispatch: 2,
    });
    const weights = written(scores[0]) as Float32Array<ArrayBuffer>;
    lse = scores[1] as Words;
    for (const weight of unpackRows(weights, spec.spans * window)) all.push(weight);
    const mixSpec = { ...spec, channels: value.channels };
    [mixed] = (await runKernel(products.mix('f32'), {
      grid: products.mixGrid(mixSpec, count),
      params: windowParams(mixSpec, windows, first),
      reads: [weights, values],
      writes: [mixed],
      rowsPerDispatch: 3,
    })) as [Words];
  }
  const [y] = await runKernel(mergeRowsKernel(value.channels, rounds), {
    grid: mergeGrid(length, value.channels),
    params: [length, padded, 0],
    reads: [
      written(mixed) as Float32Array<ArrayBuffer>,
      rank.data,
      written(lse) as Float32Array<ArrayBuffer>,
    ],
    writes: [blocksOf(value.channels) * 4 * length],
  });
  return {
    weights: Float32Array.from(all),
    lse: written(lse),
    y: fromBlocked(written(y), value.channels, value.height, value.width).data,
  };
}

describe.each(PRODUCTS)('attention in windows of sorted rows (%s)', (_, products) => {
  it.each([
    // These pixel counts are below, equal to or above the window size. Some are also close to a
    // multiple of 32, the number of rows that a workgroup of the plain kernels computes.
    [1, 1, 16, 3, 1],
    [3, 2, 16, 3, 1],
    [5, 3, 16, 3, 2],
    [4, 4, 16, 3, 1],
    [17, 1, 16, 3, 2],
    [8, 8, 16, 3, 1],
    [13, 5, 20, 3, 2],
    [9, 7, 33, 3, 1],
    [16, 6, 32, 3, 1],
    [9, 5, 64, 1, 1],
    // Released models use windows of 384 pixels. Each of these pixel counts differs by at most 1
    // from half a window (192) or from a whole window (384).
    [191, 1, 384, 3, 1],
    [64, 3, 384, 3, 1],
    [383, 1, 384, 3, 1],
    [24, 16, 384, 3, 1],
    [77, 5, 384, 3, 1],
  ] as const)(
    '%i x %i pixels, windows of %i, %i spans, %i rounds',
    async (width, height, window, spans, rounds) => {
      const x = randomMap(6, height, width, 1);
      const value = randomMap(70, height, width, 2);
      // The values are far apart, so that the softmax is not flat.
      x.data.forEach((v, i) => {
        x.data[i] = 4 * v;
      });
      const spec = { window, spans, rounds };
      const sorted = shuffled(width * height, rounds);
      const expected = attentionReference(x, sorted.order, spec);
      const lse = table(expected.lse, rounds, expected.lse.length / rounds);
      const y = attendReference(value, sorted.order, sorted.rank, expected, lse);
      const kept = await attend(products, x, value, sorted, spec, 1000);
      expectClose(kept.weights, expected.data);
      expectClose(kept.lse, expected.lse);
      expectClose(kept.y, y.data, { abs: 2e-5, rel: 2e-5 });
      const slabs = await attend(products, x, value, sorted, spec, 2);
      expect(slabs.y).toEqual(kept.y);
    },
  );

  it('gives equal keys equal weights on a constant map, zeros among them', async () => {
    for (const constant of [0, 2]) {
      const x = planarMap(5, 4, 9);
      x.data.fill(constant);
      const sorted = shuffled(36, 1);
      const { weights, y } = await attend(
        products,
        x,
        x,
        sorted,
        { window: 16, spans: 3, rounds: 1 },
        9,
      );
      expectClose(weights, new Float32Array(weights.length).fill(1 / 48));
      expectClose(y, x.data);
    }
  });
});

it('fills windows up with the last rows, round and round', () => {
  const rows = (length: number, window: number) =>
    Array.from({ length: Math.ceil(length / window) * window }, (_, j) =>
      paddedRow(j, length, window),
    );
  expect(rows(5, 4)).toEqual([0, 1, 2, 3, 4, 2, 3, 4]);
  expect(rows(3, 4)).toEqual([0, 1, 2, 2]);
  expect(rows(2, 7)).toEqual([0, 1, 1, 0, 1, 0, 1]);
});

describe('sparse keys', () => {
  it.each([
    [1, 1],
    [1, 9],
    [8, 8],
    [17, 9],
  ])('softmax behind each gate at %i x %i', async (width, height) => {
    for (const channels of [1, 4, 5, 8, 9, 36]) {
      const a = randomMap(channels, height, width, 1);
      const b = randomMap(channels, height, width, 2);
      for (const gate of [null, 'zero', 'exclude', 'soft', 'columns'] as const) {
        const [y] = await runKernel(keySoftmaxKernel(channels, gate), {
          grid: mapGrid(width, height, 1),
          params: [width, height],
          reads: [toBlocked(a), toBlocked(b)],
          writes: [blocksOf(channels) * 4 * width * height],
        });
        const expected = keySoftmaxReference(a, gate ? b : null, gate);
        expectClose(written(y), toBlocked(expected));
      }
    }
  });

  it.each(['zero', 'exclude'] as const)('gives NaN where a mask is NaN: %s', async (gate) => {
    const a = randomMap(3, 1, 2, 1);
    const b = { ...a, data: new Float32Array(6).fill(1) };
    b.data[0] = Number.NaN;
    const [y] = await runKernel(keySoftmaxKernel(3, gate), {
      grid: mapGrid(2, 1, 1),
      params: [2, 1],
      reads: [toBlocked(a), toBlocked(b)],
      writes: [8],
    });
    for (const { data } of [fromBlocked(written(y), 3, 1, 2), keySoftmaxReference(a, b, gate)]) {
      expect(data[0]).toBeNaN();
      expect(data[1]).toBeGreaterThan(0);
    }
  });

  it('gives zero where every gate is closed', async () => {
    const a = randomMap(3, 2, 2, 1);
    const b = { ...a, data: new Float32Array(12).fill(-1) };
    const [y] = await runKernel(keySoftmaxKernel(3, 'exclude'), {
      grid: mapGrid(2, 2, 1),
      params: [2, 2],
      reads: [toBlocked(a), toBlocked(b)],
      writes: [16],
    });
    expect([...written(y)]).toEqual(new Array(16).fill(0));
  });

  it.each([
    [1, 1],
    [9, 1],
    [8, 8],
    [17, 9],
  ])('samples %i x %i, near, far and outside', async (width, height) => {
    const [channels, all] = [6, 5];
    const x = randomMap(channels, height, width, 1);
    const before = randomMap(channels, height, width, 2);
    const weights = randomMap(all, height, width, 3);
    const offsets = randomMap(2 * all, height, width, 4);
    offsets.data.forEach((v, i) => {
      offsets.data[i] = i % 5 === 0 ? Math.round(v * 3) : i % 7 === 0 ? v * 1e12 : v * 5;
    });
    // The kernel must skip keys with a weight of 0, because their values might not be finite.
    weights.data.forEach((_, i) => {
      if (i % 4 !== 0) return;
      weights.data[i] = 0;
    });
    for (const layout of ['paired', 'released'] as const) {
      for (const add of [false, true]) {
        const spec = { first: 1, keys: 3, offsets: layout };
        const [y] = await runKernel(sampleKeysKernel({ ...spec, add }), {
          grid: mapGrid(width, height, 2),
          params: [width, height],
          reads: [weights, offsets, x, add ? before : x].map(toBlocked),
          writes: [8 * width * height],
        });
        const expected = sampleKeysReference(weights, offsets, x, add ? before : null, spec);
        expectClose(written(y), toBlocked(expected));
      }
    }
  });

  it('does not read a key of weight zero', async () => {
    const nan = (channels: number) => {
      const map = planarMap(channels, 2, 2);
      map.data.fill(Number.NaN);
      return map;
    };
    const [y] = await runKernel(
      sampleKeysKernel({ first: 0, keys: 4, offsets: 'paired', add: false }),
      {
        grid: mapGrid(2, 2, 1),
        params: [2, 2],
        reads: [planarMap(4, 2, 2), nan(8), nan(4), nan(4)].map(toBlocked),
        writes: [16],
      },
    );
    expect([...written(y)]).toEqual(new Array(16).fill(0));
  });
});
