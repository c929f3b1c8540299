/**
 * npm run bench -- --network lcoan: what LCoAN's attention costs with and without sharing, against
 * dense attention, through Dawn in Node on whatever adapter the machine has.
 */
import { parseArgs } from 'node:util';
import { positiveInteger, UsageError } from '../src/cli/command.ts';
import { openGpu } from '../src/cli/driver.ts';
import { Engine } from '../src/engine/engine.ts';
import { nodeMultiplyAdds } from '../src/graph/analysis.ts';
import { type Graph, GraphBuilder } from '../src/graph/graph.ts';
import { NonlocalBuilder } from '../src/graph/nonlocal.ts';
import type { Network } from '../src/models/network.ts';
import { fromFloat32 } from '../src/weights/convert.ts';
import type { TensorMap } from '../src/weights/tensor.ts';

export const NONLOCAL_USAGE = `
npm run bench -- --network lcoan [options]

Times the attention of LCoAN alone: embeddings, clustering, sort and attention of all groups, without
the residual blocks between them. Weights are random. Non-local time includes two small convolutions
at the ends; kernels are compiled before.

  --sides 32,48,64,80,96  of square LR pictures
  --dense 16,24,32        sides for dense attention, whose cost grows with the square of the pixels
  --groups N              groups of layers, default 10
  --features N            channels, default 128
  --clusters N            default 128
  --window N              default 384
  --repeats N             runs of each, interleaved, default 1; the shortest counts
`;

export type Kind = 'shared' | 'unshared' | 'dense';

export interface NonlocalSizes {
  readonly groups: number;
  readonly features: number;
  readonly clusters: number;
  readonly window: number;
}

/** The non-local parts of an LCoAN. `pixels` fixes the window of dense attention. */
export function nonlocalNetwork(kind: Kind, sizes: NonlocalSizes, pixels: number): Network {
  const { groups, features } = sizes;
  const b = new GraphBuilder();
  const nonlocal = new NonlocalBuilder(b);
  const dense = kind === 'dense';
  const clustering = {
    rounds: 1,
    clusters: dense ? 1 : sizes.clusters,
    window: dense ? pixels : sizes.window,
  };
  const conv = (name: string, x: number, kernel: 1 | 3, cOut: number) =>
    b.conv(name, x, { layer: name, kernel, cOut, bias: true });
  let x = conv('head', b.input('input', 3), 3, features);
  let pattern: readonly [order: number, rank: number, attention: number, lse: number] | null = null;
  for (let g = 0; g < groups; g++) {
    if (pattern === null || kind !== 'shared') {
      const embedding = conv(`match${g}`, x, 3, features);
      const similar = nonlocal.similarity(`similar${g}`, embedding, `means${g}`, clustering, true);
      const codes = nonlocal.codes(`codes${g}`, similar, clustering);
      const rank = nonlocal.rank(`rank${g}`, codes, clustering);
      // One cluster: the order is that of the pixels.
      const order = nonlocal.inverse(`order${g}`, rank, clustering);
      const spans = dense ? 1 : 3;
      const attention = nonlocal.attention(`weights${g}`, embedding, order, clustering, spans);
      pattern = [order, rank, attention, nonlocal.logSumExp(`lse${g}`, attention, clustering)];
    }
    const value = conv(`value${g}`, x, 1, features);
    x = b.add(`out${g}`, x, nonlocal.attend(`attended${g}`, [value, ...pattern]), 0.1);
  }
  const graph = b.build(conv('tail', x, 3, 3));
  return { architecture: 'lcoan', scale: 1, inputRange: 1, graph };
}

/** Multiply-adds per pixel between the two convolutions at the ends. */
export function nonlocalMultiplyAdds({ nodes }: Graph): number {
  return nodes.reduce(
    (sum, node) => sum + (/^(head|tail)$/.test(node.name) ? 0 : nodeMultiplyAdds(node)),
    0,
  );
}

/** Slope, intercept and coefficient of determination of the least-squares line. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]) {
  const mean = (pick: 0 | 1) => points.reduce((sum, p) => sum + p[pick], 0) / points.length;
  const [mx, my] = [mean(0), mean(1)];
  const sum = (f: (x: number, y: number) => number) =>
    points.reduce((all, [x, y]) => all + f(x - mx, y - my), 0);
  const slope = sum((x, y) => x * y) / sum((x) => x * x);
  const residual = sum((x, y) => (y - slope * x) ** 2);
  return { slope, intercept: my - slope * mx, r2: 1 - residual / sum((_, y) => y * y) };
}

function randomWeights({ weights }: Graph): TensorMap {
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return new Map(
    weights.map(({ name, shape }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const bound = Math.sqrt((3 * shape[0]) / length);
      const values = Float32Array.from({ length }, () => next() * bound);
      return [name, fromFloat32(values, shape, 'f32')] as const;
    }),
  );
}

interface Row {
  readonly side: number;
  readonly kind: Kind;
  readonly milliseconds: number;
  readonly multiplyAdds: number;
  readonly gpuBytes: number;
}

/** The command: prints a row per size and kind, ratios, fits and a curve. */
export async function nonlocalCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      network: { type: 'string' },
      sides: { type: 'string', default: '32,48,64,80,96' },
      dense: { type: 'string', default: '16,24,32' },
      groups: { type: 'string', default: '10' },
      features: { type: 'string', default: '128' },
      clusters: { type: 'string', default: '128' },
      window: { type: 'string', default: '384' },
      repeats: { type: 'string', default: '1' },
    },
  });
  const list = (option: 'sides' | 'dense') =>
    values[option]
      .split(',')
      .filter((text) => text !== '')
      .map((text) => positiveInteger(`--${option}`, text));
  const number = (option: 'groups' | 'features' | 'clusters' | 'window' | 'repeats') =>
    positiveInteger(`--${option}`, values[option]);
  const sizes = {
    ...{ groups: number('groups'), features: number('features') },
    ...{ clusters: number('clusters'), window: number('window') },
  };
  const [sides, dense] = [list('sides'), list('dense')];
  if (sides.length === 0) throw new UsageError('--sides names no size.');
  const engine = await Engine.create({ gpu: await openGpu() });
  const rows: Row[] = [];
  try {
    const { description } = engine.adapter;
    console.log(`${description}; ${JSON.stringify(sizes)}`);
    console.log('  side       kind           ms   multiply-adds/px      GMAC/s    GPU bytes');
    for (const side of [...new Set([...sides, ...dense])].sort((a, b) => a - b)) {
      const kinds: Kind[] = [
        ...(sides.includes(side) ? (['shared', 'unshared'] as const) : []),
        ...(dense.includes(side) ? (['dense'] as const) : []),
      ];
      for (const row of await measure(engine, side, kinds, sizes, number('repeats'))) {
        rows.push(row);
        console.log(line(row));
      }
    }
  } finally {
    engine.destroy();
  }
  report(rows);
  return 0;
}

/** The kinds at one size, their runs interleaved. */
async function measure(
  engine: Engine,
  side: number,
  kinds: readonly Kind[],
  sizes: NonlocalSizes,
  repeats: number,
): Promise<Row[]> {
  const data = Uint8ClampedArray.from(
    { length: side * side * 4 },
    (_, i) => (i * 2654435761) >>> 24,
  );
  const image = { width: side, height: side, data };
  const rows = new Map<Kind, Row>();
  for (let run = 0; run < repeats; run++) {
    for (const kind of kinds) {
      const network = nonlocalNetwork(kind, sizes, side * side);
      const model = await engine.loadModel(network, randomWeights(network.graph));
      const { report } = await engine.upscale(model, image, { submitMs: () => 200 });
      await engine.unloadModel(model);
      if (report.tiles > 1) throw new UsageError(`${side} x ${side} pixels do not fit the memory.`);
      const { milliseconds, gpuBytes } = report;
      const before = rows.get(kind)?.milliseconds ?? Number.POSITIVE_INFINITY;
      const multiplyAdds = nonlocalMultiplyAdds(network.graph);
      const shortest = Math.min(milliseconds, before);
      rows.set(kind, { side, kind, milliseconds: shortest, multiplyAdds, gpuBytes });
    }
  }
  return [...rows.values()];
}

function line({ side, kind, milliseconds, multiplyAdds, gpuBytes }: Row): string {
  const rate = (multiplyAdds * side * side) / milliseconds / 1e6;
  return [
    ...[String(side).padStart(6), kind.padStart(10), milliseconds.toFixed(0).padStart(12)],
    ...[multiplyAdds.toLocaleString('en').padStart(18), rate.toFixed(2).padStart(11)],
    gpuBytes.toLocaleString('en').padStart(14),
  ].join(' ');
}

function report(rows: readonly Row[]): void {
  const at = (side: number, kind: Kind) => rows.find((r) => r.side === side && r.kind === kind);
  for (const { side } of rows.filter(({ kind }) => kind === 'shared')) {
    const [shared, unshared] = [at(side, 'shared'), at(side, 'unshared')];
    if (!shared || !unshared) continue;
    const time = shared.milliseconds / unshared.milliseconds;
    const count = shared.multiplyAdds / unshared.multiplyAdds;
    console.log(
      `${side} x ${side}: with sharing ${(100 * time).toFixed(1)} % of the time without, ${(100 * count).toFixed(1)} % of the multiply-adds`,
    );
  }
  for (const kind of ['shared', 'unshared', 'dense'] as const) {
    const points = rows.filter((row) => row.kind === kind);
    if (points.length < 2) continue;
    const line = (pick: (row: Row) => number) =>
      fitLine(points.map((row) => [row.side ** 2, pick(row)] as const));
    const [time, memory] = [line((r) => r.milliseconds), line((r) => r.gpuBytes)];
    console.log(
      `${kind}: ${(1000 * time.slope).toFixed(1)} us per pixel ${time.intercept < 0 ? '-' : '+'} ${Math.abs(time.intercept).toFixed(0)} ms, R2 ${time.r2.toFixed(4)}; ${memory.slope.toFixed(0)} bytes per pixel, R2 ${memory.r2.toFixed(4)}`,
    );
  }
  const longest = Math.max(...rows.map(({ milliseconds }) => milliseconds));
  console.log('cost curve, milliseconds:');
  for (const { side, kind, milliseconds } of rows) {
    const bar = '#'.repeat(Math.max(1, Math.round((50 * milliseconds) / longest)));
    console.log(
      `${String(side ** 2).padStart(7)} px ${kind.padStart(9)} ${bar} ${milliseconds.toFixed(0)}`,
    );
  }
}
