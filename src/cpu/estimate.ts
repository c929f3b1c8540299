import { fuse } from '../engine/compile/fuse.ts';
import { writesOf } from '../engine/compile/fused.ts';
import { CrispenError } from '../errors.ts';
import { type Graph, GraphBuilder } from '../graph/graph.ts';
import { tileOverlap } from '../graph/reach.ts';
import type { Network } from '../networks/network.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { runsSlowly } from './compile.ts';
import type { Crew } from './crew.ts';
import { padded } from './layout.ts';
import { CpuModel } from './model.ts';

/** Milliseconds of measurement. */
const PROBE_MS = 20;
/** Pixels of an image that run whole within most budgets. */
const WHOLE_PIXELS = 6e5;
/** The cost of the pixel conversions, in values written per LR and SR pixel. */
const PIXEL_VALUES = 16;

/** The cost of non-local ops besides their multiply-adds. */
const SORTING = 2;

/** The speed of a machine, in milliseconds. */
export interface Speed {
  readonly perMultiplyAdd: number;
  /** Per number that an op writes. */
  readonly perValue: number;
}

/**
 * Multiply-adds per LR pixel, and numbers that ops write for it; those of non-local ops separately.
 */
function workOf(graph: Graph) {
  const work = { multiplyAdds: 0, values: 0, slow: 0 };
  for (const op of fuse(graph, { fuse: 'ops', image: {} }).ops) {
    if (runsSlowly(op)) work.slow += op.multiplyAdds;
    else work.multiplyAdds += op.multiplyAdds;
    for (const id of writesOf(op)) {
      const { shape } = graph.nodes[id];
      if (shape.kind === 'map') work.values += padded(shape.channels) * shape.scale ** 2;
    }
  }
  return work;
}

/**
 * Measures this machine for 20 ms: with a 3x3 convolution, on which networks spend most of their
 * time, and with a small 1x1 convolution, which mostly moves numbers.
 * @param crew the threads that will do the work
 * @throws CrispenError `NO_WASM`, `OUT_OF_MEMORY`
 */
export async function measureSpeed(crew?: Crew): Promise<Speed> {
  const narrow = await probe({ channels: 4, kernel: 1, side: 160, ms: PROBE_MS / 4, crew });
  const wide = await probe({ channels: 40, kernel: 3, side: 32, ms: PROBE_MS, crew });
  // Two equations: time = multiply-adds * perMultiplyAdd + values * perValue.
  const ratio = narrow.multiplyAdds / wide.multiplyAdds;
  const perValue =
    Math.max(0, narrow.time - wide.time * ratio) / (narrow.values - wide.values * ratio);
  const perMultiplyAdd = Math.max(0, wide.time - wide.values * perValue) / wide.multiplyAdds;
  return {
    perMultiplyAdd: perMultiplyAdd * wide.slowdown,
    perValue: perValue * wide.slowdown,
  };
}

interface Probe {
  readonly channels: number;
  readonly kernel: 1 | 3;
  /** Side of the map in pixels. */
  readonly side: number;
  readonly ms: number;
  readonly crew: Crew | undefined;
}

/**
 * Times a convolution: milliseconds per pixel, and the factor by which other work on the machine
 * slows it down. The job will slow down likewise.
 */
async function probe({ channels, kernel, side, ms, crew }: Probe) {
  const b = new GraphBuilder();
  const x = b.input('input', channels);
  const graph = b.build(b.conv('conv', x, { layer: 'conv', kernel, cOut: channels, bias: false }));
  const shape = [channels, channels, kernel, kernel];
  const values = Float32Array.from({ length: channels ** 2 * kernel ** 2 }, (_, i) => Math.cos(i));
  const weights = new Map([['conv.weight', fromFloat32(values, shape, 'f32')]]);
  const network = { architecture: 'probe', scale: 1, inputRange: 1, graph };
  const model = await CpuModel.load(network, weights, { crew });
  const data = Float32Array.from({ length: channels * side ** 2 }, (_, i) => Math.sin(i));
  const times: number[] = [];
  const once = async () => {
    let spent = 0;
    const onStep = (_: unknown, milliseconds: number) => {
      spent += milliseconds;
    };
    await model.trace({ width: side, height: side, data }, ['conv'], { onStep });
    times.push(spent);
  };
  // Compiles, and waits for threads.
  for (let i = 0; i < 3; i++) await once();
  times.length = 0;
  const until = performance.now() + ms;
  do await once();
  while (performance.now() < until || times.length < 5);
  const middle = times.sort((a, b) => a - b)[times.length >> 1];
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  return {
    ...workOf(graph),
    time: middle / side ** 2,
    slowdown: middle > 0 ? Math.min(2, mean / middle) : 1,
  };
}

/**
 * Milliseconds of a network for an LR image. Ops that run as the oracle's loops count at their
 * speed.
 * @param teamed threads without shared memory that compute bands of the image
 * @throws CrispenError `INVALID_INPUT`
 */
export async function estimateMilliseconds(
  network: Network,
  width: number,
  height: number,
  { perMultiplyAdd, perValue }: Speed,
  teamed = 1,
): Promise<number> {
  checkSize(width, height);
  const { graph, scale } = network;
  const { multiplyAdds, values, slow } = workOf(graph);
  const pixels = PIXEL_VALUES * (1 + scale ** 2);
  const area = width * height;
  const pools = graph.nodes.some(({ op }) => op === 'globalAveragePool');
  // Before the tiles, which overlap, there is a pass for the statistics.
  const passes = area <= WHOLE_PIXELS ? 1 : pools ? 2 : 1.2;
  const fast =
    (multiplyAdds * perMultiplyAdd + (values + pixels) * perValue) *
    (area * passes * shareOf(graph, height, slow > 0 ? 1 : teamed));
  if (slow === 0) return fast;
  const { estimateCpuMilliseconds } = await import('../engine/oracle/interpreter.ts');
  const share = slow / (slow + multiplyAdds);
  return fast + estimateCpuMilliseconds(network, width, height) * share * SORTING;
}

/** The share of the work that each of the threads does, including overlap. */
function shareOf(graph: Graph, height: number, threads: number): number {
  const { overlap, approximate } = tileOverlap(graph);
  if (approximate) return 1;
  const rows = (bands: number) =>
    Math.min(height, height / bands + Math.min(bands - 1, 2) * overlap);
  return (
    Math.min(...Array.from({ length: threads }, (_, i) => (i === 0 ? height : rows(i + 1)))) /
    height
  );
}

function checkSize(...sides: readonly number[]): void {
  if (sides.every((side) => Number.isInteger(side) && side > 0)) return;
  throw new CrispenError('INVALID_INPUT', `There is no image of ${sides.join(' x ')} pixels.`, {
    hint: 'Width and height are positive integers.',
  });
}
