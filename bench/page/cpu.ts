import { releaseProxy, wrap } from 'comlink';
import type { Contender } from '../contender.ts';
import { toPlanar } from '../photo.ts';
import type { CpuWorker } from './cpuWorker.ts';

/**
 * Runs Crispen in WebAssembly with this number of threads and shared memory, which requires an
 * isolated page.
 */
export function cpuContender(threads: number): Contender {
  return {
    engine: 'crispen-cpu',
    precision: 'f32',
    threads,
    async open({ network, weights, image }) {
      const worker = new Worker(new URL('./cpuWorker.ts', import.meta.url), { type: 'module' });
      const api = wrap<CpuWorker>(worker);
      const multiplyAddsPerPixel = await api.open(threads, network, weights);
      const { width, height } = image;
      const { inputRange } = network;
      return {
        run: () => api.run(image),
        async output() {
          const data = await api.output(width, height, toPlanar(image, inputRange));
          return data.map((value) => value / inputRange);
        },
        cost: { multiplyAddsPerPixel },
        async close() {
          api[releaseProxy]();
          worker.terminate();
        },
      };
    },
  };
}
