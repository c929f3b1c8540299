/**
 * Runs several networks on whole images in turn, so other work on the machine affects all of them.
 */
import type { Rgba8Image } from '../src/image/image.ts';
import type { Network } from '../src/networks/network.ts';
import { openBackend } from '../src/node/backend.ts';
import type { TensorMap } from '../src/weights/tensor.ts';
import { median } from './measure.ts';

export interface Turns {
  readonly name: string;
  /** Medians per image: the elapsed time, and the total CPU time on all processors. */
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
}

/**
 * Times `turns` images per network after one untimed run.
 * @param threads the number of threads if the device is `cpu`
 * @throws CrispenError `NO_WEBGPU` for `gpu` on a machine without an adapter
 */
export async function inTurn(
  device: 'gpu' | 'cpu',
  tasks: readonly {
    readonly name: string;
    readonly network: Network;
    readonly weights: TensorMap;
  }[],
  image: Rgba8Image,
  turns: number,
  threads = 1,
): Promise<Turns[]> {
  const backends = await Promise.all(tasks.map(() => openBackend(device, {}, threads)));
  try {
    const runs = await Promise.all(
      tasks.map(({ network, weights }, i) => backends[i].load(network, weights)),
    );
    for (const run of runs) await run(image);
    const times = tasks.map(() => ({ clock: [] as number[], cpu: [] as number[] }));
    for (let turn = 0; turn < turns; turn++) {
      for (const [i, run] of runs.entries()) {
        const [started, cpu] = [performance.now(), process.cpuUsage()];
        await run(image);
        const { user, system } = process.cpuUsage(cpu);
        times[i].clock.push(performance.now() - started);
        times[i].cpu.push((user + system) / 1000);
      }
    }
    return tasks.map(({ name }, i) => ({
      name,
      milliseconds: median(times[i].clock),
      cpuMilliseconds: median(times[i].cpu),
    }));
  } finally {
    for (const backend of backends) backend.close();
  }
}
