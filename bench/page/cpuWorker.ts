/**
 * Runs Crispen on the CPU in a worker. A crew's host blocks while it waits for the other threads,
 * which is not allowed in a page's main thread.
 */
import { expose } from 'comlink';
import { Crew } from '../../src/cpu/crew.ts';
import { CpuModel } from '../../src/cpu/model.ts';
import { traceOnCpu } from '../../src/cpu/trace.ts';
import { upscale } from '../../src/cpu/upscale.ts';
import type { Rgba8Image } from '../../src/image/image.ts';
import type { Network } from '../../src/networks/network.ts';
import type { TensorMap } from '../../src/weights/tensor.ts';

let network: Network;
let weights: TensorMap;
let crew: Crew | undefined;
let model: CpuModel;

const api = {
  /** @returns the multiply-adds per LR pixel */
  async open(threads: number, opened: Network, tensors: TensorMap): Promise<number> {
    [network, weights] = [opened, tensors];
    if (threads > 1) {
      crew = new Crew(threads, () => {
        const worker = new Worker(new URL('./bandWorker.ts', import.meta.url), { type: 'module' });
        return {
          send: (seat) => worker.postMessage(seat),
          terminate: () => worker.terminate(),
        };
      });
    }
    model = await CpuModel.load(network, weights, { crew });
    return model.work();
  },

  async run(image: Rgba8Image): Promise<void> {
    await upscale(model, image);
  },

  /** @param data planar values in the network's range */
  async output(width: number, height: number, data: Float32Array): Promise<Float32Array> {
    const { nodes, output } = network.graph;
    const keep = new Set([output]);
    const traced = await CpuModel.load(network, weights, { crew, keep });
    const { name } = nodes[output];
    const values = await traceOnCpu(traced, { width, height, data }, [name]);
    return values.get(name)!.data;
  },
};

export type CpuWorker = typeof api;
expose(api);
