/**
 * Runs networks in WebAssembly, without a GPU. This module is loaded lazily. If the page's content
 * security policy forbids WebAssembly or the browser does not support its SIMD instructions, the
 * reference implementation in plain JavaScript runs instead.
 */
import type { Crew } from '../cpu/crew.ts';
import { estimateMilliseconds, measureSpeed } from '../cpu/estimate.ts';
import { CpuModel, type ModelOptions } from '../cpu/model.ts';
import { compileModule, supportedVariant } from '../cpu/module.ts';
import { serve } from '../cpu/serve.ts';
import { Team } from '../cpu/team.ts';
import type { Port } from '../cpu/tiles.ts';
import { upscaleStrips } from '../cpu/upscale.ts';
import type { Pass } from '../engine/pipeline/enlarge.ts';
import { CrispenError } from '../errors.ts';
import type { Size } from '../geometry.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { LoadedWeights } from './modelLoader.ts';
import type { WireDetection, WorkerConfig } from './protocol.ts';
import { defaultThreads, startThread } from './threads.ts';

declare const self: DedicatedWorkerGlobalScope;

/**
 * Runs this worker as one of the threads of a `CpuHost`. If the host can share memory, the thread
 * computes bands of rows in the shared memory. Otherwise, it computes tiles in its own memory.
 */
export async function serveThread(port: Port): Promise<void> {
  if (!isIsolated()) return serve(port);
  const { serveBands } = await import('./crew.ts');
  port.onmessage = ({ data }) => serveBands(data);
  port.postMessage({ ready: true }, []);
}

const loadOracle = () => import('./oracle.ts');

/**
 * The size in bytes of the largest WebAssembly memory that is kept after a job. Larger memories are
 * freed, because they cannot shrink.
 */
const KEPT_BYTES = 2 ** 28;
/**
 * The number of models that are kept. All models for an image are loaded before the first one runs,
 * and an image needs at most three: one that restores it and two that enlarge it.
 */
const KEPT_MODELS = 3;

/**
 * Only a job that takes longer than this, in milliseconds, is used to estimate how long later jobs
 * take.
 */
const TELLING_MS = 500;

interface Loaded {
  readonly model: CpuModel;
  readonly drop: (() => void) | undefined;
}

/** Runs models on the CPU. Keeps the threads and the most recently used models. */
export class CpuHost {
  readonly #threads: number;
  readonly #memoryBudget: number | undefined;
  /** The compiled module, or the reason why WebAssembly is unavailable. */
  #module: Promise<WebAssembly.Module | CrispenError> | null = null;
  #crew: Promise<Crew> | undefined;
  #team: Team | undefined;
  /** The models by id. The most recently used model is last. */
  readonly #models = new Map<string, Promise<Loaded>>();
  /**
   * The time in milliseconds that each model needs per LR pixel, by model id. It is measured in the
   * model's last job that took longer than `TELLING_MS`.
   */
  readonly #paces: Record<string, number> = {};

  constructor({ threads, memoryBudget }: Pick<WorkerConfig, 'threads' | 'memoryBudget'>) {
    this.#threads = threads ?? defaultThreads();
    this.#memoryBudget = memoryBudget ?? undefined;
  }

  async report(): Promise<WireDetection['cpu']> {
    const module = await this.#compile();
    if (module instanceof CrispenError) {
      return { code: 'loops', threads: 1, shared: false, reason: module.serialize() };
    }
    const code = supportedVariant() === 'relaxed' ? 'relaxed-simd' : 'simd';
    return { code, threads: this.#threads, shared: isIsolated(), reason: null };
  }

  /**
   * Returns a function that runs a model. The model is kept for later jobs.
   * @throws CrispenError `MODEL_UNSUPPORTED`, `OUT_OF_MEMORY`, `IMAGE_TOO_LARGE` (only without
   *   WebAssembly), and any error of `load`
   */
  async pass(id: string, load: () => Promise<LoadedWeights>): Promise<Pass['run']> {
    const module = await this.#compile();
    if (module instanceof CrispenError) {
      const { network, weights } = await load();
      return (await loadOracle()).oraclePass(network, weights, module);
    }
    const open = () => {
      const loading = this.#models.get(id) ?? this.#load(module, load);
      this.#models.delete(id);
      this.#models.set(id, loading);
      loading.catch(() => this.#models.delete(id));
      return loading;
    };
    await open();
    for (const old of [...this.#models.keys()].slice(0, -KEPT_MODELS)) await this.drop(old);
    return async (image, options, sink) => {
      // An image can need the same model several times, and the previous run may have freed it.
      const { model } = await open();
      try {
        const memoryBudget = options.memoryBudget ?? this.#memoryBudget;
        const report = await upscaleStrips(model, image, { ...options, memoryBudget }, sink);
        const { milliseconds } = report;
        if (milliseconds > TELLING_MS) this.#paces[id] = milliseconds / image.width / image.height;
        return report;
      } finally {
        if (model.held > KEPT_BYTES) await this.drop(id);
      }
    };
  }

  /**
   * Loads a model for a single run without keeping it. Returns null if WebAssembly is unavailable.
   */
  async model(
    network: Network,
    weights: TensorMap,
    options: ModelOptions,
  ): Promise<CpuModel | null> {
    const module = await this.#compile();
    if (module instanceof CrispenError) return null;
    return CpuModel.load(network, weights, { ...options, module, crew: await this.#openCrew() });
  }

  /** Frees a model, if it is loaded. */
  async drop(id: string): Promise<void> {
    const loading = this.#models.get(id);
    this.#models.delete(id);
    await loading?.then(
      ({ drop }) => drop?.(),
      () => {},
    );
  }

  /**
   * Estimates how long `runs` take in total, in milliseconds. The estimate for each run is based on
   * its model's last job that took longer than `TELLING_MS`. If there was no such job, or if
   * WebAssembly is unavailable, the estimate is based on a short benchmark of the machine.
   * @throws CrispenError `INVALID_INPUT`
   */
  async estimate(
    runs: readonly (Size & {
      readonly model: { readonly id: string };
      readonly network: Network;
    })[],
  ): Promise<number> {
    const module = await this.#compile();
    if (module instanceof CrispenError) {
      const { estimateCpuMilliseconds } = await loadOracle();
      return runs.reduce(
        (total, { network, width, height }) =>
          total + estimateCpuMilliseconds(network, width, height),
        0,
      );
    }
    const speed = await measureSpeed(await this.#openCrew());
    const team = isIsolated() ? 1 : this.#threads;
    let total = 0;
    for (const { model, network, width, height } of runs) {
      total +=
        // If the model has not been timed yet, this product is NaN, so the benchmark is used.
        this.#paces[model.id] * width * height ||
        (await estimateMilliseconds(network, width, height, speed, team));
    }
    return total;
  }

  /** Returns the compiled module, or the reason why WebAssembly is unavailable. */
  #compile(): Promise<WebAssembly.Module | CrispenError> {
    this.#module ??= compileModule(undefined, isIsolated()).catch((error) => {
      if (error instanceof CrispenError && error.code === 'NO_WASM') return error;
      throw error;
    });
    return this.#module;
  }

  #openCrew(): Promise<Crew> | undefined {
    if (!isIsolated()) return undefined;
    this.#crew ??= import('./crew.ts').then(({ openCrew }) => openCrew(this.#threads));
    return this.#crew;
  }

  async #load(module: WebAssembly.Module, load: () => Promise<LoadedWeights>): Promise<Loaded> {
    const crew = await this.#openCrew();
    // The threads start while the weights are loading.
    if (!crew && this.#threads > 1) {
      this.#team ??= new Team(this.#threads - 1, startThread);
    }
    const { network, weights } = await load();
    const team = await this.#team?.load(network, weights);
    const model = await CpuModel.load(network, weights, { module, crew, helpers: team?.runners });
    return { model, drop: team?.drop };
  }
}

/** Returns whether threads can share memory. */
const isIsolated = (): boolean => self.crossOriginIsolated === true;
