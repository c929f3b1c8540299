import { shippedModel, shippedNetwork } from '../catalog/network.ts';
import type { Model } from '../engine/engine.ts';
import { choosePrecision } from '../engine/tune/precision.ts';
import { CrispenError } from '../errors.ts';
import type { Detection } from '../networks/detect.ts';
import type { Network } from '../networks/network.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { type Runnable, shipped } from './auto.ts';
import type { EngineHost } from './host.ts';
import { type Digest, loadWeightFile, type WeightPlatform } from './models.ts';
import type { JobProgress } from './progress.ts';
import { ADDED_PREFIX, type WorkerConfig } from './protocol.ts';
import type { ModelStore } from './store.ts';

declare const self: DedicatedWorkerGlobalScope;

/** A network and its weights. */
export type LoadedWeights = Pick<Detection, 'network' | 'weights'>;

/** The suffix that is added to a model's id if the model is loaded for 16-bit images. */
const WIDE = ':16';
/** The suffix that is added to the ids of models that run in f32 because they failed in f16. */
const F32 = ':f32';

/** Finds models, downloads their weights once and loads the models onto the GPU. */
export class ModelLoader {
  readonly #config: WorkerConfig;
  readonly #host: EngineHost;
  readonly #digest: Digest | undefined = self.isSecureContext
    ? (algorithm, bytes) => crypto.subtle.digest(algorithm, bytes)
    : undefined;
  readonly #weightsById = new Map<string, TensorMap>();
  /** The store of the added models. Null until it is first used. */
  #store: ModelStore | null = null;

  constructor(config: WorkerConfig, host: EngineHost) {
    this.#config = config;
    this.#host = host;
  }

  /** Finds a model by its id. @throws CrispenError `MODEL_UNKNOWN` */
  async find(id: string): Promise<Runnable> {
    if (id.startsWith(ADDED_PREFIX)) {
      const { store } = await this.added();
      return { id, scale: (await store.find(id)).scale, entry: null };
    }
    const entry = this.#config.files.find((file) => file.id === id);
    if (!entry) throw new CrispenError('MODEL_UNKNOWN', `There is no model called "${id}".`);
    return shipped(entry);
  }

  /** Returns the store, the hash function and the functions that handle added weight files. */
  async added() {
    const added = await import('./added.ts');
    this.#store ??= new added.ModelStore(async () => {
      if (!self.isSecureContext) throw new Error('no file system in insecure contexts');
      return navigator.storage.getDirectory();
    }, this.#digest);
    return { ...added, digest: this.#digest, store: this.#store };
  }

  /**
   * Returns the network without its weights. For an added model, the weight file must be read to
   * detect the network.
   */
  async network({ id, entry }: Runnable): Promise<Network> {
    return entry ? shippedNetwork(entry) : (await this.#loadAdded(id)).network;
  }

  /** Returns whether the weights of a model are in memory. */
  hasWeights(id: string): boolean {
    return this.#weightsById.has(id);
  }

  /** Frees the GPU memory that a model uses. */
  async drop(id: string): Promise<void> {
    const ids = [id, id + WIDE, id + F32, id + WIDE + F32];
    await Promise.all(ids.map((each) => this.#host.drop(each)));
  }

  /** @throws CrispenError `FETCH_FAILED`, `MODEL_CORRUPT`, `ABORTED` */
  async weights(
    { id, entry }: Runnable,
    progress: JobProgress,
    signal: AbortSignal,
  ): Promise<LoadedWeights> {
    if (!entry) {
      // The weights of added models can be large. They are therefore not kept in memory, and each
      // call reads the file again.
      progress.report('download', 0);
      const loaded = await this.#loadAdded(id);
      progress.report('download', 1);
      return loaded;
    }
    let weights = this.#weightsById.get(id);
    if (!weights) {
      progress.report('download', 0);
      const { packaged, baseUrl, cache } = this.#config;
      const { bytes, sha256, file: name } = entry;
      const url = packaged[name] ?? new URL(name, baseUrl).href;
      const platform: WeightPlatform = {
        fetch: (url, init) => fetch(url, init),
        // Browsers offer caches only in secure contexts.
        caches: cache && self.isSecureContext ? self.caches : undefined,
        digest: this.#digest,
      };
      const file = await loadWeightFile({ id, url, bytes, sha256 }, platform, {
        signal,
        onProgress: (fraction) => progress.report('download', fraction),
      });
      weights = readSafetensors(file).tensors;
      this.#weightsById.set(id, weights);
    }
    return shippedModel(entry, weights);
  }

  /**
   * Loads a model onto the GPU, unless it is already there, and returns it. The kernels of a
   * shipped model compile while its weights are loading.
   * @param isF32 whether the model must run in f32, regardless of the configured precision
   */
  async onGpu(
    runnable: Runnable,
    progress: JobProgress,
    signal: AbortSignal,
    wide = false,
    isF32 = false,
  ): Promise<Model> {
    const id = runnable.id + (wide ? WIDE : '') + (isF32 ? F32 : '');
    const loaded = await this.#host.loaded(id);
    if (loaded) return loaded;
    const { entry } = runnable;
    const { adapter } = await this.#host.engine();
    // f16 is not precise enough for 16-bit samples.
    const wanted = choosePrecision(this.#config.precision, !wide && entry?.f16, adapter);
    const precision = isF32 ? 'f32' : wanted;
    const options = { wide, precision };
    if (entry) this.#host.prepare(await shippedNetwork(entry), options);
    const { network, weights } = await this.weights(runnable, progress, signal);
    progress.report('prepare', 0);
    return this.#host.model(id, network, weights, options);
  }

  async #loadAdded(id: string): Promise<LoadedWeights> {
    const { loadAdded, store } = await this.added();
    return loadAdded(store, id);
  }
}
