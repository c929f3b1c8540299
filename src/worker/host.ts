import type { Engine, Model, ModelOptions } from '../engine/engine.ts';
import { CrispenError } from '../errors.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';

/**
 * Holds the worker's single engine and its loaded models. Both are made on first use. After the
 * device is lost, both are dropped, and the next use makes new ones.
 */
export class EngineHost {
  readonly #create: () => Promise<Engine>;
  #current: { engine: Promise<Engine>; models: Map<string, Promise<Model>> } | null = null;

  constructor(create: () => Promise<Engine>) {
    this.#create = create;
  }

  /** @throws CrispenError `NO_WEBGPU`, `INSECURE_CONTEXT`; a later call tries again. */
  engine(): Promise<Engine> {
    return this.#open().engine;
  }

  has(id: string): boolean {
    return this.#current?.models.has(id) ?? false;
  }

  /** The model, if it is on the GPU or being loaded. */
  loaded(id: string): Promise<Model> | undefined {
    return this.#current?.models.get(id);
  }

  /** Frees a model after earlier jobs have ended; no effect if it is not loaded. */
  async drop(id: string): Promise<void> {
    const current = this.#current;
    const model = current?.models.get(id);
    if (!current || !model) return;
    current.models.delete(id);
    await (await current.engine).unloadModel(await model);
  }

  /** The model on the GPU, loaded once per engine. */
  async model(
    id: string,
    network: Network,
    weights: TensorMap,
    options?: ModelOptions,
  ): Promise<Model> {
    const current = this.#open();
    let model = current.models.get(id);
    if (!model) {
      model = current.engine.then((engine) => engine.loadModel(network, weights, options));
      current.models.set(id, model);
      model.catch(() => current.models.delete(id));
    }
    return model;
  }

  /**
   * Compiles a network's kernels before its weights arrive. A failure here is repeated in `model`.
   */
  prepare(network: Network, options?: ModelOptions): void {
    this.engine()
      .then((engine) => engine.prepare(network, options))
      .catch(() => {});
  }

  /** Runs `task`. If it fails because the device was lost, the engine is dropped. */
  async use<T>(task: (engine: Engine) => Promise<T>): Promise<T> {
    const current = this.#open();
    const engine = await current.engine;
    try {
      return await task(engine);
    } catch (error) {
      if (error instanceof CrispenError && error.code === 'DEVICE_LOST') this.#drop(current);
      throw error;
    }
  }

  #open(): { engine: Promise<Engine>; models: Map<string, Promise<Model>> } {
    if (this.#current) return this.#current;
    const current = { engine: this.#create(), models: new Map<string, Promise<Model>>() };
    this.#current = current;
    current.engine
      .then((engine) => engine.lost)
      .then(() => this.#drop(current))
      .catch(() => {
        if (this.#current === current) this.#current = null;
      });
    return current;
  }

  #drop(current: { engine: Promise<Engine> }): void {
    if (this.#current !== current) return;
    this.#current = null;
    void current.engine.then((engine) => engine.destroy());
  }
}
