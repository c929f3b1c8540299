import { fuse } from '../engine/compile/fuse.ts';
import { CrispenError } from '../errors.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import { GraphBuilder } from '../graph/graph.ts';
import type { Network } from '../networks/network.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { runsSlowly } from './compile.ts';
import { CpuModel } from './model.ts';

/** Channels and pixels of what is measured. */
const CHANNELS = 40;
const SIDE = 24;
/** Milliseconds of measuring. */
const PROBE_MS = 20;
/** The more that 1x1 convolutions, products and conversions take beside what is measured. */
const OVERHEAD = 1.3;

/**
 * Milliseconds that a network takes for an LR image, from 20 ms of the convolution that networks spend
 * most of their time in; ops that the oracle's loops run count at their speed.
 * @throws CrispenError `NO_WASM`, `OUT_OF_MEMORY`
 */
export async function estimateMilliseconds(
  network: Network,
  width: number,
  height: number,
): Promise<number> {
  checkSize(width, height);
  const b = new GraphBuilder();
  const x = b.input('input', CHANNELS);
  const graph = b.build(
    b.conv('conv', x, { layer: 'conv', kernel: 3, cOut: CHANNELS, bias: false }),
  );
  const shape = [CHANNELS, CHANNELS, 3, 3];
  const values = Float32Array.from({ length: CHANNELS ** 2 * 9 }, (_, i) => Math.cos(i));
  const weights = new Map([['conv.weight', fromFloat32(values, shape, 'f32')]]);
  const probe = { architecture: 'probe', scale: 1, inputRange: 1, graph };
  const model = await CpuModel.load(probe, weights);
  const input = {
    width: SIDE,
    height: SIDE,
    data: Float32Array.from({ length: CHANNELS * SIDE ** 2 }, (_, i) => Math.sin(i)),
  };
  const once = async () => {
    let spent = 0;
    await model.trace(input, ['conv'], {
      onStep: (_, milliseconds) => {
        spent += milliseconds;
      },
    });
    return spent;
  };
  await once(); // compiles
  let [best, measured] = [Number.POSITIVE_INFINITY, 0];
  do {
    const spent = await once();
    best = Math.min(best, spent);
    measured += spent;
  } while (measured < PROBE_MS);
  const perMultiplyAdd = (best / (multiplyAddsPerPixel(graph) * SIDE ** 2)) * OVERHEAD;
  const total = multiplyAddsPerPixel(network.graph);
  const slow = fuse(network.graph, { fuse: 'ops' })
    .ops.filter(runsSlowly)
    .reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);
  const fast = (total - slow) * width * height * perMultiplyAdd;
  if (slow === 0) return fast;
  const { estimateCpuMilliseconds } = await import('../engine/oracle/interpreter.ts');
  return fast + estimateCpuMilliseconds(network, width, height) * (slow / total);
}

function checkSize(...sides: readonly number[]): void {
  if (sides.every((side) => Number.isInteger(side) && side > 0)) return;
  throw new CrispenError('INVALID_INPUT', `There is no image of ${sides.join(' x ')} pixels.`, {
    hint: 'Width and height are positive integers.',
  });
}
