import type { Engine, Model, ModelOptions } from '../engine/engine.ts';
import type { Device } from '../engine/gpu/device.ts';
import type {
  Checkpoint,
  Recovery,
  StripSink,
  UpscaleOptions,
  UpscaleReport,
} from '../engine/types.ts';
import { CrispenError, type ErrorCode } from '../errors.ts';
import type { HeldRows } from '../image/blank.ts';
import type { RgbaImage } from '../image/image.ts';
import { OneColour } from '../image/oneColour.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';

/** A job fails when it loses this many consecutive devices without making progress. */
const MOST_LOSSES = 3;
/** If a cancelled job does not end within this many milliseconds, its device is destroyed. */
const CANCEL_MS = 5000;
/**
 * After a device loss, the duration of submissions is divided by this number, because drivers abort
 * long submissions.
 */
const SMALLER = 4;
const DEFAULT_SUBMIT_MS = 8;
/** The errors that occur when values are too large or too small for f16. */
const BEYOND_F16: Partial<Record<ErrorCode, Recovery>> = {
  NON_FINITE: 'f16-overflow',
  BLANK_RESULT: 'f16-blank',
};

interface Current {
  readonly engine: Promise<Engine>;
  readonly models: Map<string, Promise<Model>>;
}

/** Loads a model onto the current engine, or returns the model that the engine already has. */
export type LoadModel = (isF32: boolean) => Promise<Model>;

/**
 * Holds the worker's only engine and its loaded models. The engine is created and the models are
 * loaded on first use. If the device is lost, the engine and its models are recreated, and each job
 * continues after the last strip that it completed.
 */
export class EngineHost {
  readonly #create: () => Promise<Engine>;
  #current: Current | null = null;
  /** The ids of models that have failed in f16. */
  readonly #beyondF16 = new Set<string>();

  constructor(create: () => Promise<Engine>) {
    this.#create = create;
  }

  /**
   * @throws CrispenError `NO_WEBGPU`, `INSECURE_CONTEXT`; after an error, the next call tries again
   */
  async engine(): Promise<Engine> {
    return (await this.#live()).engine;
  }

  /** Returns the current device. After a device loss, this is a new device. */
  readonly device = async (): Promise<Device> => (await this.engine()).device;

  /** Returns the model if it is on the GPU or being loaded. */
  loaded(id: string): Promise<Model> | undefined {
    return this.#current?.models.get(id);
  }

  /** If the model is loaded, waits for earlier jobs to end and then frees it. */
  async drop(id: string): Promise<void> {
    // The id might later be given to another model, whose values might fit in f16.
    this.#beyondF16.delete(id);
    const current = this.#current;
    const model = current?.models.get(id);
    if (!current || !model) return;
    current.models.delete(id);
    await (await current.engine).unloadModel(await model);
  }

  /** Loads a model onto the GPU, or returns the model that the current engine already has. */
  async model(
    id: string,
    network: Network,
    weights: TensorMap,
    options?: ModelOptions,
  ): Promise<Model> {
    const current = await this.#live();
    let model = current.models.get(id);
    if (!model) {
      model = current.engine.then((engine) => engine.loadModel(network, weights, options));
      current.models.set(id, model);
      model.catch(() => current.models.delete(id));
    }
    return model;
  }

  /**
   * Compiles a network's kernels before its weights arrive. Errors are ignored, because the later
   * call to `model` throws them again.
   */
  prepare(network: Network, options?: ModelOptions): void {
    this.engine()
      .then((engine) => engine.prepare(network, options))
      .catch(() => {});
  }

  /**
   * Runs `task` on the engine. After a device loss or an internal error, the next use creates a new
   * device. After a non-finite result, the next use reloads the models. If a task does not end soon
   * after it is cancelled, its device is destroyed so that the next task can start.
   */
  async use<T>(task: (engine: Engine) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const current = await this.#live();
    const engine = await current.engine;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onAbort = () => {
      timer = setTimeout(() => engine.abandon('a cancelled job did not end'), CANCEL_MS);
    };
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await task(engine);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'DEVICE_LOST' || code === 'INTERNAL') this.#drop(current);
      if (code === 'NON_FINITE') await this.#unload(current, engine);
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Like `use`, but if the device is lost, the task runs again on a new device. It fails after
   * three consecutive losses without progress.
   * @param task receives the list of recoveries so far, and may add to it
   * @param progressOf returns a number that increases when the task gets further than in earlier
   *   attempts
   */
  async retry<T>(
    task: (engine: Engine, recovered: Recovery[]) => Promise<T>,
    signal?: AbortSignal,
    progressOf: () => number = () => 0,
  ): Promise<T> {
    const recovered: Recovery[] = [];
    let [losses, progress] = [0, progressOf()];
    for (;;) {
      try {
        return await this.use((engine) => task(engine, recovered), signal);
      } catch (error) {
        if (codeOf(error) !== 'DEVICE_LOST' || signal?.aborted) throw error;
        if (progressOf() > progress) losses = 0;
        progress = progressOf();
        if (++losses >= MOST_LOSSES) throw error;
        recovered.push('device-lost');
      }
    }
  }

  /**
   * Loads a model onto the GPU before its first image, in the precision that `upscale` tries first.
   */
  async load(id: string, load: LoadModel): Promise<void> {
    await this.retry(() => load(this.#beyondF16.has(id)));
  }

  /**
   * Like `retry`, but also loads a model. If the task fails because values do not fit in f16, it
   * runs again in f32. The model's later tasks then also run in f32.
   * @param id identifies the model and its weights
   * @returns the task's result together with the recoveries
   */
  async run<T extends UpscaleReport>(
    id: string,
    load: LoadModel,
    task: (engine: Engine, model: Model, recovered: readonly Recovery[]) => Promise<T>,
    signal?: AbortSignal,
    progressOf?: () => number,
  ): Promise<T> {
    const attempt = async (engine: Engine, recovered: Recovery[]): Promise<T> => {
      for (;;) {
        const isF32 = this.#beyondF16.has(id);
        const model = await load(isF32);
        try {
          return { ...(await task(engine, model, recovered)), recovered };
        } catch (error) {
          const recovery = BEYOND_F16[codeOf(error) as ErrorCode];
          if (!recovery || isF32 || model.program.element !== 'f16') throw error;
          this.#beyondF16.add(id);
          recovered.push(recovery);
        }
      }
    };
    return this.retry(attempt, signal, progressOf);
  }

  /**
   * Upscales an image, as `Engine.upscaleStrips` does. After a device loss, the job continues after
   * the last strip that it completed. If f16 overflows, all rows that the sink has not received are
   * computed in f32. If the f16 result has a single colour although the image clearly has several,
   * the whole image is computed again in f32. That is possible because the sink receives no row
   * until the result contains a second colour or is complete.
   * @param id identifies the model and its weights
   * @throws CrispenError like `Engine.upscaleStrips`; `DEVICE_LOST` after three consecutive losses;
   *   any error that the sink throws
   */
  async upscale(
    id: string,
    load: LoadModel,
    image: RgbaImage,
    options: UpscaleOptions,
    sink: StripSink,
  ): Promise<UpscaleReport> {
    const checkpoint: Checkpoint = { rows: 0 };
    let sinkError: { readonly error: unknown } | null = null;
    const guarded: StripSink = async (strip) => {
      try {
        await sink(strip);
      } catch (error) {
        sinkError = { error };
        throw new CrispenError('ABORTED', 'The sink failed.');
      }
    };
    const seen = new OneColour();
    let held: HeldRows | null = null;
    const release = async () => {
      for (const strip of held?.strips() ?? []) await guarded(strip);
      held = null;
    };
    const holding: StripSink = async (strip) => {
      seen.add(strip.data);
      if (seen.colour) {
        // `blank.ts` is loaded lazily, because it is needed only if the first strip has a single
        // colour, which is rare.
        held ??= new (await import('../image/blank.ts')).HeldRows(strip);
        return held.add(strip);
      }
      await release();
      await guarded(strip);
    };
    const { submitMs = () => DEFAULT_SUBMIT_MS, signal } = options;
    const task = async (engine: Engine, model: Model, recovered: readonly Recovery[]) => {
      const slower = recovered.includes('device-lost') ? SMALLER : 1;
      const given = { ...options, checkpoint, submitMs: () => submitMs() / slower };
      if (model.program.element !== 'f16') {
        // The rows that are held back have a single colour and were computed in f16. They might be
        // wrong, so they are discarded.
        if (held) checkpoint.rows = 0;
        held = null;
        return engine.upscaleStrips(model, image, given, guarded);
      }
      const report = await engine.upscaleStrips(model, image, given, holding);
      held?.check(image);
      await release();
      return report;
    };
    try {
      return await this.run(id, load, task, signal, () => checkpoint.rows);
    } catch (error) {
      throw sinkError ? (sinkError as { readonly error: unknown }).error : error;
    }
  }

  /** Destroys the engine and its models. The next use creates a new engine. */
  destroy(): void {
    if (this.#current) this.#drop(this.#current);
  }

  /** Returns the current engine and its models. If its device is lost, creates a new engine. */
  async #live(): Promise<Current> {
    const current = this.#open();
    if (!(await current.engine).isLost) return current;
    this.#drop(current);
    return this.#open();
  }

  #open(): Current {
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

  async #unload({ models }: Current, engine: Engine): Promise<void> {
    const loaded = [...models.values()];
    models.clear();
    for (const model of loaded) {
      await model.then((made) => engine.unloadModel(made)).catch(() => {});
    }
  }

  #drop(current: Current): void {
    if (this.#current !== current) return;
    this.#current = null;
    current.engine.then((engine) => engine.destroy()).catch(() => {});
  }
}

const codeOf = (error: unknown): ErrorCode | null =>
  error instanceof CrispenError ? error.code : null;
