import { fuse } from '../engine/compile/fuse.ts';
import { writesOf } from '../engine/compile/fused.ts';
import { largestSource } from '../engine/tile/strips.ts';
import { CrispenError } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { type Graph, GraphBuilder, type NodeId } from '../graph/graph.ts';
import { opRules } from '../graph/ops.ts';
import type { Network } from '../networks/network.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { emittersFor } from './compile.ts';
import { costOf } from './conv.ts';
import type { Crew } from './crew.ts';
import { type MapView, padded } from './layout.ts';
import { CpuModel } from './model.ts';
import { activates } from './pointwise.ts';
import { TILE_SIDE } from './winograd.ts';

/** The time that `measureSpeed` spends timing a convolution, in milliseconds. */
const PROBE_MS = 20;
/** Images of up to this many pixels fit most memory budgets without being cut into tiles. */
const WHOLE_PIXELS = 6e5;
/**
 * Converting one LR pixel to floats, or floats to one SR pixel, is assumed to take as long as
 * writing this many values.
 */
const PIXEL_VALUES = 16;

/**
 * This factor accounts for costs that are not counted separately: the borders of maps, waiting for
 * threads, and code that the runtime has not optimised yet.
 */
const REST = 1.5;

/**
 * Ops that run in plain JavaScript loops also do work other than multiply-adds, such as sorting.
 * This factor accounts for that work.
 */
const SORTING = 2;

/** How many milliseconds a machine takes for one unit of work. */
export interface Speed {
  readonly perMultiplyAdd: number;
  /** The time for each value that an op writes. */
  readonly perValue: number;
}

/**
 * Counts, per LR pixel, the multiply-adds of a graph's ops and the values that the ops write. The
 * multiply-adds of ops that run in plain JavaScript loops are counted separately, in `slow`.
 */
async function workOf(graph: Graph) {
  const work = { multiplyAdds: 0, values: 0, slow: 0 };
  const fused = fuse(graph, { fuse: 'ops', image: {}, activates });
  const emitters = await emittersFor(fused);
  for (const op of fused.ops) {
    if (emitters.isSlow(op)) work.slow += op.multiplyAdds;
    else {
      const cost = op.op === 'conv' ? costOf(op) : { multiplyAdds: op.multiplyAdds, values: 0 };
      work.multiplyAdds += cost.multiplyAdds;
      work.values += cost.values;
    }
    for (const id of writesOf(op)) {
      const { shape } = graph.nodes[id];
      if (shape.kind === 'map') work.values += padded(shape.channels) * shape.scale ** 2;
    }
  }
  return work;
}

/**
 * Measures this machine's speed. The measurement takes about 25 ms. The function times a 3x3
 * convolution, because networks spend most of their time in such convolutions. It also times a
 * ReLU, which spends most of its time reading and writing memory.
 * @param crew the threads whose speed is measured; default: only this thread
 * @throws CrispenError `NO_WASM`, `OUT_OF_MEMORY`
 */
export async function measureSpeed(crew?: Crew): Promise<Speed> {
  const moving = await probe(crew, 4, 160, PROBE_MS / 4, (b, x) => b.relu('y', x));
  const multiplying = await probe(crew, 40, 32, PROBE_MS, (b, x) =>
    b.conv('y', x, { layer: 'conv', kernel: 3, cOut: 40, bias: false }),
  );
  const { time, values, multiplyAdds } = multiplying;
  const perValue = moving.time / moving.values;
  // The convolution's maps are small and stay in the cache. Writing their values can therefore be
  // faster than `perValue` says, so at least half of the measured time is attributed to the
  // multiply-adds.
  const perMultiplyAdd = Math.max(time / 2, time - values * perValue) / multiplyAdds;
  return { perMultiplyAdd, perValue };
}

/**
 * Measures how many milliseconds per pixel a network with one op takes. Other work on the machine
 * slows down the measurement and the estimated job equally, so the time is the mean of all runs. It
 * is limited to twice the median, so that one long interruption has little effect.
 */
async function probe(
  crew: Crew | undefined,
  channels: number,
  side: number,
  ms: number,
  build: (b: GraphBuilder, x: NodeId) => NodeId,
) {
  const b = new GraphBuilder();
  const graph = b.build(build(b, b.input('input', channels)));
  const weights = new Map(
    graph.weights.map(({ name, shape }) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: count }, (_, i) => Math.cos(i));
      return [name, fromFloat32(values, shape, 'f32')];
    }),
  );
  const network = { architecture: 'probe', scale: 1, inputRange: 1, graph };
  const model = await CpuModel.load(network, weights, { crew });
  const fill = (floats: Float32Array, { address, row }: MapView) => {
    for (let i = 0; i < (side * row) / 4; i++) floats[address / 4 + i] = Math.sin(i);
  };
  const once = async (): Promise<number> => {
    let spent = 0;
    const onStep = (_: unknown, milliseconds: number) => {
      spent += milliseconds;
    };
    await model.compute({ width: side, height: side }, fill, { onStep });
    return spent;
  };
  // The first three runs do not count, because they include compiling code and starting threads.
  for (let i = 0; i < 3; i++) await once();
  const times: number[] = [];
  const until = performance.now() + ms;
  do times.push(await once());
  while (performance.now() < until || times.length < 5);
  const middle = times.sort((a, b) => a - b)[times.length >> 1];
  const mean = times.reduce((a, b) => a + b) / times.length;
  return { ...(await workOf(graph)), time: Math.min(2 * middle, mean) / side ** 2 };
}

/**
 * Estimates how many milliseconds a network takes for an LR image. Plain loops run the ops for
 * which the WebAssembly module has no function, so the estimate for these ops uses the measured
 * speed of such loops.
 * @param teamed the number of threads without shared memory that compute bands of the image
 * @throws CrispenError `INVALID_INPUT`
 */
export async function estimateMilliseconds(
  network: Network,
  width: number,
  height: number,
  { perMultiplyAdd, perValue }: Speed,
  teamed = 1,
): Promise<number> {
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new CrispenError('INVALID_INPUT', `Sides are positive integers, not ${width},${height}.`);
  }
  const { graph, scale } = network;
  const { multiplyAdds, values, slow } = await workOf(graph);
  const pixels = PIXEL_VALUES * (1 + scale ** 2);
  const area = width * height;
  const pools = graph.nodes.some((node) => opRules(node).global(node) === 'means');
  // Tiles overlap, which adds work. If the network has pooling ops, a separate pass computes their
  // means first.
  const passes = area <= WHOLE_PIXELS ? 1 : pools ? 2 : 1.2;
  const fast =
    REST *
    (multiplyAdds * perMultiplyAdd + (values + pixels) * perValue) *
    (area * passes * (await shareOf(network, { width, height }, slow > 0 ? 1 : teamed)));
  if (slow === 0) return fast;
  const { estimateCpuMilliseconds } = await import('../engine/oracle/interpreter.ts');
  const share = slow / (slow + multiplyAdds);
  return fast + estimateCpuMilliseconds(network, width, height) * share * SORTING;
}

/**
 * Returns the fraction of the image's rows that the busiest thread processes, including the rows
 * where bands overlap. The image is cut into at most `threads` bands. The number of bands is chosen
 * so that this fraction is as small as possible.
 */
async function shareOf(network: Network, size: Size, threads: number): Promise<number> {
  if (threads === 1) return 1;
  const { tilerFor } = await import('../engine/tile/tiler.ts');
  // The division into bands depends only on the image's size, so the image needs no pixels.
  const image = { ...size, data: new Uint8ClampedArray() };
  const { approximate, bands } = tilerFor(image, network, 'zero', TILE_SIDE);
  if (approximate) return 1;
  const heights = Array.from({ length: threads }, (_, i) => largestSource(bands(i + 1)).height);
  return Math.min(...heights) / size.height;
}
