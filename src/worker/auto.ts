import { type AutoChoice, chooseSpeed } from '../catalog/auto.ts';
import { runsOf } from '../catalog/chain.ts';
import type { ModelFile } from '../catalog/files.ts';
import { multiplyAddsOf } from '../engine/work.ts';
import { throwIfAborted } from '../errors.ts';
import type { Size } from '../geometry.ts';
import type { Network } from '../networks/network.ts';
import type { EngineHost } from './host.ts';
import type { WorkerConfig } from './protocol.ts';

/** What a job needs to know about a shipped or added model before it loads the weights. */
export interface Runnable {
  readonly id: string;
  readonly scale: number;
  /**
   * The catalog's entry for a shipped model. Null for an added model, whose weights are in the
   * `ModelStore`.
   */
  readonly entry: ModelFile | null;
}

export const shipped = (entry: ModelFile): Runnable => ({
  id: entry.id,
  scale: entry.scale,
  entry,
});

/** The part of a job's `JobServices` that `chooseAuto` uses. */
export interface AutoServices {
  readonly host: Pick<EngineHost, 'retry'>;
  readonly loader: { network(model: Runnable): Promise<Network> };
  readonly config: Pick<WorkerConfig, 'files'>;
  readonly cpu: () => Promise<{
    estimate(
      runs: readonly (Size & { readonly model: Runnable; readonly network: Network })[],
    ): Promise<number>;
  }>;
}

/** Estimates how many milliseconds the CPU takes to run the models on an image. */
export async function estimateOnCpu(
  { loader, cpu }: Pick<AutoServices, 'loader' | 'cpu'>,
  image: Size,
  models: readonly Runnable[],
): Promise<number> {
  const runs = await runsOf(image, models, (model) => loader.network(model));
  return (await cpu()).estimate(runs);
}

/**
 * Chooses the models for `model: 'auto'`: the best models, or the fast ones if the best would take
 * longer than 3 s. On the CPU, `CpuHost` estimates the time. On a GPU, the estimate is the amount
 * of work divided by the last job's speed. If there is no estimate, for example before the first
 * job, the best models are chosen.
 * @param onGpu whether the models will run on a GPU
 * @throws CrispenError `ABORTED`
 */
export async function chooseAuto(
  services: AutoServices,
  image: Size,
  best: readonly Runnable[],
  onGpu: boolean,
  signal?: AbortSignal,
): Promise<{ readonly models: readonly Runnable[]; readonly auto: AutoChoice }> {
  const { host, loader, config } = services;
  const estimate = async (models: readonly Runnable[]): Promise<number | null> => {
    if (!onGpu) return estimateOnCpu(services, image, models);
    const runs = await runsOf(image, models, (model) => loader.network(model));
    const work = multiplyAddsOf(runs);
    return host.retry((engine) => engine.run(async ({ pace }) => pace.expect(work)), signal);
  };
  const chosen = await chooseSpeed(config.files, best, shipped, estimate);
  throwIfAborted(signal);
  return chosen;
}
