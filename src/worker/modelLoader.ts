import type { ModelFile } from '../catalog/files.ts';
import { shippedNetwork } from '../catalog/network.ts';
import type { Model } from '../engine/engine.ts';
import { choosePrecision } from '../engine/tune/precision.ts';
import { CrispenError } from '../errors.ts';
import type { Network } from '../networks/network.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { EngineHost } from './host.ts';
import { loadWeightFile, type WeightPlatform } from './models.ts';
import type { JobProgress } from './progress.ts';
import { ADDED_PREFIX, type WorkerConfig } from './protocol.ts';
import type { ModelStore } from './store.ts';

declare const self: DedicatedWorkerGlobalScope;

/** A shipped or an added model, as far as a job needs to know it before its weights. */
export interface Runnable {
  readonly id: string;
  readonly scale: number;
  /** Null: the model was added, and its weights come from the store. */
  readonly entry: ModelFile | null;
}

interface LoadedWeights {
  readonly network: Network;
  readonly weights: TensorMap;
}

/** Behind the id of a model that takes 16 bits. */
const WIDE = ':16';

/** Finds models, fetches their weights once and puts them onto the GPU. */
export class ModelLoader {
  readonly #config: WorkerConfig;
  readonly #host: EngineHost;
  readonly #weightsById = new Map<string, TensorMap>();
  /** Opened with the first use of an added model. */
  #store: ModelStore | null = null;

  constructor(config: WorkerConfig, host: EngineHost) {
    this.#config = config;
    this.#host = host;
  }

  /** The page has chosen from the same list. @throws CrispenError `MODEL_UNKNOWN` */
  async find(id: string): Promise<Runnable> {
    if (id.startsWith(ADDED_PREFIX)) {
      const { store } = await this.added();
      return { id, scale: (await store.find(id)).scale, entry: null };
    }
    const entry = this.#config.files.find((file) => file.id === id);
    if (!entry) throw new CrispenError('MODEL_UNKNOWN', `There is no model called "${id}".`);
    return { id, scale: entry.scale, entry };
  }

  /** What reads, stores and recognises the weight files that people add, and their store. */
  async added() {
    const added = await import('./added.ts');
    this.#store ??= new added.ModelStore(async () => {
      if (!self.isSecureContext) throw new Error('no file system in insecure contexts');
      return navigator.storage.getDirectory();
    });
    return { ...added, store: this.#store };
  }

  /** The network alone; of an added model its weights have to be read for that. */
  async network({ id, entry }: Runnable): Promise<Network> {
    return entry ? shippedNetwork(entry) : (await this.#loadAdded(id)).network;
  }

  /** Whether the weights of a model need no download. */
  hasWeights(id: string): boolean {
    return this.#weightsById.has(id);
  }

  /** Frees a model on the GPU. */
  async drop(id: string): Promise<void> {
    await Promise.all([this.#host.drop(id), this.#host.drop(id + WIDE)]);
  }

  /** @throws CrispenError `FETCH_FAILED`, `MODEL_CORRUPT`, `ABORTED` */
  async weights(
    { id, entry }: Runnable,
    progress: JobProgress,
    signal: AbortSignal,
  ): Promise<LoadedWeights> {
    if (!entry) {
      // Read anew when needed, and not kept beside what is on the GPU: such files can be large.
      progress.report('download', 0);
      const loaded = await this.#loadAdded(id);
      progress.report('download', 1);
      return loaded;
    }
    let weights = this.#weightsById.get(id);
    if (!weights) {
      progress.report('download', 0);
      const { packaged, baseUrl } = this.#config;
      const { bytes, sha256, file: name } = entry;
      const url = packaged[name] ?? new URL(name, baseUrl).href;
      const file = await loadWeightFile({ id, url, bytes, sha256 }, this.platform(), {
        signal,
        onProgress: (fraction) => progress.report('download', fraction),
      });
      weights = readSafetensors(file).tensors;
      this.#weightsById.set(id, weights);
    }
    return { network: shippedNetwork(entry), weights };
  }

  /** The model on the GPU; its kernels are compiled while its weights are on their way. */
  async onGpu(
    runnable: Runnable,
    progress: JobProgress,
    signal: AbortSignal,
    wide = false,
  ): Promise<Model> {
    const id = wide ? runnable.id + WIDE : runnable.id;
    const loaded = await this.#host.loaded(id);
    if (loaded) return loaded;
    const { entry } = runnable;
    const { adapter } = await this.#host.engine();
    // Samples of 16 bits are finer than f16.
    const precision = choosePrecision(this.#config.precision, !wide && entry?.f16, adapter);
    const options = { wide, precision };
    if (entry) this.#host.prepare(shippedNetwork(entry), options);
    const { network, weights } = await this.weights(runnable, progress, signal);
    progress.report('prepare', 0);
    return this.#host.model(id, network, weights, options);
  }

  /** What downloads need of the browser; caches and hashes exist in secure contexts only. */
  platform(): WeightPlatform {
    const secure = self.isSecureContext;
    return {
      fetch: (url, init) => fetch(url, init),
      caches: this.#config.cache && secure ? self.caches : undefined,
      sha256: secure ? (bytes) => crypto.subtle.digest('SHA-256', bytes) : undefined,
    };
  }

  async #loadAdded(id: string): Promise<LoadedWeights> {
    const { loadAdded, store } = await this.added();
    const { network, weights } = await loadAdded(store, id);
    return { network, weights };
  }
}
