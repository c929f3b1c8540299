import { Engine } from '../src/engine/engine.ts';
import { trace } from '../src/engine/oracle/traceNetwork.ts';
import type { ElementType } from '../src/kernels/kernel.ts';
import type { Contender, EngineId } from './contender.ts';
import { toPlanar } from './photo.ts';
import { planCost } from './plan.ts';

/** The same value as in a hidden tab, because nothing else on the page has to stay responsive. */
const SUBMIT_MS = 50;

/** Crispen's own contenders. Each has its own engine and device. */
export function crispenContenders(gpu: GPU): Contender[] {
  const contender = (engine: EngineId, precision: ElementType, fused: boolean): Contender => ({
    engine,
    precision,
    async open({ network, weights, image, signal }) {
      const engine = await Engine.create({ gpu });
      // Once its device is destroyed, each operation that the engine is waiting for fails
      // immediately.
      const stop = () => engine.destroy();
      signal?.addEventListener('abort', stop, { once: true });
      if (signal?.aborted) stop();
      const fuse = fused ? engine.fusion : 'none';
      const model = await engine
        .loadModel(network, weights, { fuse, precision })
        .catch((error: unknown) => {
          engine.destroy();
          throw error;
        });
      const { width, height } = image;
      const { graph, inputRange } = network;
      return {
        async run(onProgress) {
          await engine.upscale(model, image, {
            submitMs: () => SUBMIT_MS,
            signal,
            onProgress: ({ fraction }) => onProgress?.(fraction),
          });
        },
        async output(onProgress) {
          const { name } = graph.nodes[graph.output];
          const input = { width, height, data: toPlanar(image, inputRange) };
          const options = {
            fuse,
            precision,
            signal,
            onProgress: ({ fraction }: { readonly fraction: number }) => onProgress?.(fraction),
          };
          const traced = await trace(engine, network, weights, input, [name], options);
          const { data } = traced.get(name)!;
          return data.map((value) => value / inputRange);
        },
        cost: planCost(model.program, image, (key) => model.spans.get(key)!.size),
        async close() {
          signal?.removeEventListener('abort', stop);
          engine.destroy();
        },
      };
    },
  });
  return [
    contender('crispen-fused', 'f32', true),
    contender('crispen-unfused', 'f32', false),
    contender('crispen-f16', 'f16', true),
  ];
}
