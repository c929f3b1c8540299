/**
 * npm run bench -- --network lcoan: measures the cost of LCoAN's attention with and without
 * sharing, and compares it with dense attention. Runs through Dawn in Node on the machine's
 * adapter.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { positiveInteger, UsageError } from '../src/cli/command.ts';
import { Engine } from '../src/engine/engine.ts';
import type { SizedDispatch } from '../src/engine/gpu/arena.ts';
import { makeJob, plannedBytes } from '../src/engine/tile/strips.ts';
import { type Graph, GraphBuilder } from '../src/graph/graph.ts';
import { NonlocalBuilder } from '../src/graph/nonlocal.ts';
import type { Network } from '../src/networks/network.ts';
import { openGpu } from '../src/node/driver.ts';
import { fromFloat32 } from '../src/weights/convert.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import { curvesSvg, fitLine } from './curve.ts';
import { type GpuClasses, GpuGauge } from './gauge.ts';
import { planCost } from './plan.ts';

export const NONLOCAL_USAGE = `
npm run bench -- --network lcoan [options]

Times the attention of LCoAN alone: embeddings, clustering, sort and attention of all groups, without
the residual blocks between them. Weights are random; kernels are compiled before.

  --sides 48,64,80,96,112 of square LR pictures, with sharing and without
  --far 16,32,48          sides for dense attention, whose cost grows with the square of the pixels,
                          and for several rounds of attention without sharing
  --rounds N              of these; default 4
  --groups N              groups of layers, default 10
  --features N            channels, default 128
  --clusters N            default 128
  --window N              default 384
  --repeats N             runs of each, interleaved, default 1; the shortest counts
  --steps                 also what each kernel takes, one submission each
  --plot FILE             the curve as SVG`;

export type Kind = 'shared' | 'own' | 'rounds' | 'dense';

export interface NonlocalSizes {
  readonly groups: number;
  readonly features: number;
  readonly clusters: number;
  readonly window: number;
  /** The number of clustering rounds for the kind `rounds`. */
  readonly rounds: number;
}

/** Builds an LCoAN's non-local parts. `pixels` is the window size for dense attention. */
export function nonlocalNetwork(kind: Kind, sizes: NonlocalSizes, pixels: number): Network {
  const { groups, features } = sizes;
  const b = new GraphBuilder();
  const nonlocal = new NonlocalBuilder(b);
  const dense = kind === 'dense';
  const clustering = {
    rounds: kind === 'rounds' ? sizes.rounds : 1,
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
      // With one cluster, this order is the pixels' own order.
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

/**
 * Matches the convolutions at both ends and the pixel conversions, which are neither timed nor
 * counted.
 */
const isEnd = (name: string): boolean => /^(unpack|head|tail|pack)\b/.test(name);

/** Returns the multiply-adds per pixel between the convolutions at the two ends. */
export function nonlocalMultiplyAdds({ nodes }: Graph): number {
  return nodes.reduce((sum, node) => sum + (isEnd(node.name) ? 0 : node.multiplyAdds), 0);
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

export interface Row {
  readonly side: number;
  readonly kind: Kind;
  /** The time from submission to completion, for all groups. */
  readonly milliseconds: number;
  /**
   * The CPU time on all cores, which other programs do not affect. It is only meaningful for
   * software adapters.
   */
  readonly cpuMilliseconds: number;
  /** The cost per pixel, for all groups. */
  readonly multiplyAdds: number;
  readonly bytes: number;
  /** The bytes in GPU buffers, including weights: as planned, and as actually created. */
  readonly plannedBytes: number;
  readonly createdBytes: number;
}

/** Each kernel's milliseconds, by its label. On software adapters, they are CPU time. */
type Steps = Map<string, number>;

async function clocked(work: () => Promise<void>) {
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return {
    milliseconds: performance.now() - started,
    cpuMilliseconds: (user + system) / 1000,
  };
}

/** Runs the command. Prints a row for each size and kind, and then ratios and fitted lines. */
export async function nonlocalCommand(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      network: { type: 'string' },
      sides: { type: 'string', default: '48,64,80,96,112' },
      far: { type: 'string', default: '16,32,48' },
      rounds: { type: 'string', default: '4' },
      groups: { type: 'string', default: '10' },
      features: { type: 'string', default: '128' },
      clusters: { type: 'string', default: '128' },
      window: { type: 'string', default: '384' },
      repeats: { type: 'string', default: '1' },
      steps: { type: 'boolean', default: false },
      plot: { type: 'string' },
    },
  });
  const list = (option: 'sides' | 'far') =>
    values[option]
      .split(',')
      .filter((text) => text !== '')
      .map((text) => positiveInteger(`--${option}`, text));
  const number = (
    option: 'groups' | 'features' | 'clusters' | 'window' | 'repeats' | 'rounds',
  ): number => positiveInteger(`--${option}`, values[option]);
  const sizes: NonlocalSizes = {
    groups: number('groups'),
    features: number('features'),
    rounds: number('rounds'),
    clusters: number('clusters'),
    window: number('window'),
  };
  const [sides, far] = [list('sides'), list('far')];
  if (sides.length + far.length === 0) throw new UsageError('There is no size to measure.');
  const gpu = await openGpu();
  const gauge = new GpuGauge(globalThis as unknown as GpuClasses);
  gauge.begin('crispen');
  const engine = await Engine.create({ gpu });
  const rows: Row[] = [];
  try {
    const { description, isFallbackAdapter } = engine.adapter;
    console.log(`${description}; ${JSON.stringify(sizes)}`);
    console.log(HEADINGS.map((heading, i) => heading.padStart(COLUMNS[i])).join(' '));
    for (const side of [...new Set([...sides, ...far])].sort((a, b) => a - b)) {
      const kinds: Kind[] = [
        ...(sides.includes(side) ? (['shared', 'own'] as const) : []),
        ...(far.includes(side) ? (['rounds', 'dense'] as const) : []),
      ];
      const measured = new Map<Kind, { row: Row; steps: Steps }>();
      for (let run = 0; run < number('repeats'); run++) {
        for (const kind of kinds) {
          const next = await measure(engine, gauge, side, kind, sizes, values.steps);
          const before = measured.get(kind);
          if (!before || before.row.milliseconds > next.row.milliseconds) measured.set(kind, next);
        }
      }
      for (const { row, steps } of measured.values()) {
        rows.push(row);
        console.log(line(row, isFallbackAdapter));
        for (const [label, ms] of [...steps].sort((a, b) => b[1] - a[1])) {
          console.log(`${ms.toFixed(0).padStart(26)} ms  ${label}`);
        }
      }
    }
  } finally {
    engine.destroy();
  }
  report(rows, sizes);
  if (values.plot !== undefined) await writeFile(values.plot, plot(rows, sizes));
  return 0;
}

/** Measures one kind at one size. */
function measure(
  engine: Engine,
  gauge: GpuGauge,
  side: number,
  kind: Kind,
  sizes: NonlocalSizes,
  perStep: boolean,
): Promise<{ row: Row; steps: Steps }> {
  const size = { width: side, height: side };
  const whole = { x: 0, y: 0, ...size };
  const network = nonlocalNetwork(kind, sizes, side * side);
  gauge.begin('crispen');
  return engine.loadModel(network, randomWeights(network.graph)).then((model) =>
    engine.run(async ({ device, pace }) => {
      const { program } = model;
      const job = await makeJob(device, model, size, false);
      try {
        const created = gauge.memory('crispen').peak;
        const { maps, uniforms } = plannedBytes(device, model, size, 1);
        const pixels = Uint32Array.from({ length: side * side }, (_, i) => i * 2654435761);
        const { source } = program.image as NonNullable<typeof program.image>;
        job.arena.write(source, pixels);
        const inner = program.steps.findIndex(({ name }) => !isEnd(name));
        const all = job.arena.sized({ image: size, core: whole, source: whole });
        const names = program.steps.map(({ name }) => name);
        const timed = all.filter((_, i) => !isEnd(names[i]));
        const paced = pace.withTarget(() => 200);
        const run = async (dispatches: readonly SizedDispatch[]) => {
          await job.arena.run(dispatches, { pace: paced });
          await device.idle();
        };
        await run(all.slice(0, inner));
        const { milliseconds, cpuMilliseconds } = await clocked(() => run(timed));
        const steps: Steps = new Map();
        if (perStep) {
          await run(all.slice(0, inner));
          for (const step of timed.filter(({ grid }) => !grid.includes(0))) {
            const took = await clocked(() => run([step]));
            const { label } = step.kernel;
            const { isFallbackAdapter } = device.adapter;
            const ms = isFallbackAdapter ? took.cpuMilliseconds : took.milliseconds;
            steps.set(label, (steps.get(label) ?? 0) + ms);
          }
        }
        const constants = (key: string) => model.spans.get(key)?.size as number;
        const middle = program.steps.filter(({ name }) => !isEnd(name));
        const cost = planCost({ ...program, steps: middle }, size, constants);
        const row = {
          side,
          kind,
          milliseconds,
          cpuMilliseconds,
          multiplyAdds: cost.multiplyAddsPerPixel,
          bytes: cost.bytesPerPixel,
          plannedBytes: maps + uniforms + model.weights.size,
          createdBytes: created,
        };
        return { row, steps };
      } finally {
        job.buffers.destroy();
        model.weights.destroy();
      }
    }),
  );
}

const HEADINGS = [
  ...['side', 'kind', 'ms', 'CPU ms', 'multiply-adds/px', 'bytes/px', 'GMAC/s'],
  ...['GPU bytes', 'of plan'],
];
const COLUMNS = [5, 7, 9, 9, 16, 10, 7, 14, 8];

function line(row: Row, software: boolean): string {
  const { side, kind, milliseconds, multiplyAdds, bytes, createdBytes } = row;
  const rate = (multiplyAdds * side * side) / milliseconds / 1e6;
  return [
    ...[String(side), kind, milliseconds.toFixed(milliseconds < 100 ? 1 : 0)],
    software ? row.cpuMilliseconds.toFixed(0) : '-',
    ...[multiplyAdds.toLocaleString('en'), Math.round(bytes).toLocaleString('en')],
    ...[rate.toFixed(2), createdBytes.toLocaleString('en')],
    `${((100 * createdBytes) / row.plannedBytes).toFixed(1)} %`,
  ]
    .map((text, i) => text.padStart(COLUMNS[i]))
    .join(' ');
}

const NAMES: Readonly<Record<Kind, (sizes: NonlocalSizes) => string>> = {
  shared: () => 'shared by all groups',
  own: () => "each group's own",
  rounds: ({ rounds }) => `own, ${rounds} rounds`,
  dense: () => 'dense',
};

/** Prints a summary of the rows. */
function report(rows: readonly Row[], sizes: NonlocalSizes): void {
  const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`;
  for (const row of rows) {
    const shared = rows.find(({ side, kind }) => side === row.side && kind === 'shared');
    if (!shared || shared === row) continue;
    console.log(
      `${row.side} x ${row.side}, ${sizes.groups} groups, shared against ${NAMES[row.kind](sizes)}: ${percent(shared.milliseconds, row.milliseconds)} of the time, ${percent(shared.cpuMilliseconds, row.cpuMilliseconds)} of the CPU time, ${percent(shared.multiplyAdds, row.multiplyAdds)} of the multiply-adds, ${percent(shared.bytes, row.bytes)} of the bytes`,
    );
  }
  for (const kind of ['shared', 'own'] as const) {
    const points = rows.filter((row) => row.kind === kind);
    if (points.length < 3) continue;
    const fit = (what: string, unit: string, pick: (row: Row) => number) => {
      const { slope, intercept, r2 } = fitLine(points.map((row) => [row.side ** 2, pick(row)]));
      const sign = intercept < 0 ? '-' : '+';
      console.log(
        `${NAMES[kind](sizes)}, ${what} over ${points.length} sizes: ${slope.toPrecision(4)} ${unit} per pixel ${sign} ${Math.abs(intercept).toPrecision(4)} ${unit}, R2 ${r2.toFixed(5)}`,
      );
    };
    fit('time', 'ms', (row) => row.milliseconds);
    fit('CPU time', 'ms', (row) => row.cpuMilliseconds);
    fit('memory', 'bytes', (row) => row.createdBytes);
  }
  const off = rows.map((row) => Math.abs(row.createdBytes / row.plannedBytes - 1));
  console.log(`GPU memory, planned against created: ${percent(Math.max(...off), 1)} off at worst`);
}

function plot(rows: readonly Row[], sizes: NonlocalSizes): string {
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  return curvesSvg(
    `Attention of ${sizes.groups} groups, seconds`,
    'LR pixels',
    kinds.map((kind) => ({
      label: NAMES[kind](sizes),
      points: rows
        .filter((row) => row.kind === kind)
        .map(({ side, milliseconds }) => [side ** 2, milliseconds / 1000] as const),
    })),
  );
}
