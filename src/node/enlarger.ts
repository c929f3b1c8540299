import type { AutoChoice } from '../catalog/auto.ts';
import type { Task } from '../catalog/task.ts';
import { type Sink, savePng } from '../codecs/sink.ts';
import {
  type EnlargePlan,
  type EnlargeReport,
  enlarge,
  enlargeWhole,
  type Pass,
} from '../engine/pipeline/enlarge.ts';
import type { Precision } from '../engine/tune/precision.ts';
import type { Progress } from '../engine/types.ts';
import { throwIfAborted } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { type Depth, depthOf, type RgbaImage } from '../image/image.ts';
import { isOpaque } from '../image/pixels.ts';
import type { SizeWish } from '../image/size.ts';
import type { DecodedImage, ImageTags } from '../image/tags.ts';
import { AUTO } from '../worker/protocol.ts';
import type { Backend } from './backend.ts';
import { checkFormat, encodeImage, type OutputFormat } from './images.ts';
import { type ChosenModel, chooseChain, type NetworkWish, readWeightFile } from './model.ts';
import { saveWhole } from './output.ts';

/** The settings that apply to all of an enlarger's images. */
export interface EnlargeSettings {
  /** The id of a shipped model, or `auto`. By default, the best photo models are used. */
  readonly model?: string | undefined;
  /** A weight file's path. If `model` is also given, the file replaces that model's weights. */
  readonly weights?: string | undefined;
  /** The network properties that the weight file does not determine, such as the input range. */
  readonly wish?: NetworkWish | undefined;
  readonly precision?: Precision | undefined;
}

/** The requested size, task and method for an image. */
export interface EnlargeTask {
  /** The requested size; null for the model's own scale. */
  readonly size: SizeWish | null;
  /** The task; default: the model's own task. */
  readonly task?: Task | undefined;
  /** The method; default `network`. `lanczos` resizes without a network. */
  readonly method?: 'network' | 'lanczos' | undefined;
}

/** The settings for one image. */
export interface EnlargeRequest extends EnlargeTask {
  readonly format: OutputFormat;
  /** The quality, from 1 to 100; default 92. It has no effect on PNG. */
  readonly quality?: number | undefined;
  /** Whether EXIF and XMP are kept in the result. */
  readonly keepsMetadata?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The plan for one image: the size of the result, and the models that run. */
export interface ImagePlan {
  readonly size: Size;
  /** The exact scale factor, before the sides of the result are rounded to whole pixels. */
  readonly factor: number;
  readonly chain: readonly ChosenModel[];
  /** The choice that `auto` made; null if `auto` was not used. */
  readonly auto: AutoChoice | null;
  /**
   * Short descriptions of the network properties that Crispen assumes because the weight files do
   * not determine them.
   */
  readonly assumptions: readonly string[];
}

/** The result of enlarging one image. */
export interface Enlarged<T> {
  readonly plan: ImagePlan;
  readonly report: EnlargeReport;
  readonly depth: Depth;
  readonly tags: ImageTags;
  /** The size of the written file in bytes. */
  readonly bytes: number;
  /** The value that the sink's `close` returned. */
  readonly file: T;
}

/**
 * Enlarges images on one backend. The models stay loaded. Calls may overlap: while networks process
 * one image, other images can be decoded or encoded.
 */
export class Enlarger {
  readonly #backend: Backend;
  readonly #settings: EnlargeSettings;
  readonly #files = new Map<string, ReturnType<typeof readWeightFile>>();
  readonly #passes = new Map<string, Pass>();
  /** This promise resolves when the backend is free. */
  #turn: Promise<unknown> = Promise.resolve();
  #busyMs = 0;

  constructor(backend: Backend, settings: EnlargeSettings = {}) {
    this.#backend = backend;
    this.#settings = settings;
  }

  /** The total time during which the backend was busy, in milliseconds. */
  get busyMs(): number {
    return this.#busyMs;
  }

  /** @throws CrispenError the errors of `chooseChain` */
  async plan(
    image: Size,
    { size, task, method, signal }: EnlargeTask & Pick<EnlargeRequest, 'signal'>,
  ): Promise<ImagePlan> {
    const isPlain = method === 'lanczos';
    const { model } = this.#settings;
    const planned = await chooseChain(image, size, {
      ...this.#settings,
      // A plain resize does not need a model.
      model: isPlain && model === AUTO ? undefined : model,
      task,
      read: (path) => this.#weightFile(path),
      estimate: (runs) => this.#alone(signal, () => this.#backend.estimate(runs)),
    });
    const chain = isPlain ? [] : planned.chain;
    // A model can occur twice in a chain, so the set removes duplicates.
    return { ...planned, chain, assumptions: [...new Set(chain.flatMap((m) => m.assumptions))] };
  }

  /**
   * Enlarges a decoded image and writes the result to a file. A PNG is written strip by strip, so
   * it can be larger than the available memory. Other formats need the whole result in memory.
   * @throws CrispenError the errors of `plan`, the engine, the encoder and the sink;
   *   `IMAGE_TOO_LARGE` if the format does not support the size; `ABORTED`
   */
  async enlarge<T>(
    { image, tags: found }: Pick<DecodedImage, 'image' | 'tags'>,
    open: () => Promise<Sink<T>>,
    request: EnlargeRequest,
  ): Promise<Enlarged<T>> {
    const { format, quality, keepsMetadata = false, signal, onProgress } = request;
    const plan = await this.plan(image, request);
    checkFormat(format, plan.size);
    const tags = keepsMetadata ? found : { ...found, exif: null, xmp: null };
    const depth = depthOf(image);
    const work = this.#work(plan, image);
    const options = { signal, onProgress };
    if (format === 'png') {
      const header = { ...plan.size, depth, alpha: !isOpaque(image.data), tags };
      const { produced, bytes, file } = await savePng(
        header,
        open,
        (write) =>
          this.#alone(signal, () => enlarge(image, work, options, ({ data }) => write(data))),
        signal,
      );
      return { plan, report: produced, depth, tags, bytes, file };
    }
    const whole = await this.#alone(signal, () => enlargeWhole(image, work, options));
    const encoded = await encodeImage(whole.image, format, { quality, tags });
    throwIfAborted(signal);
    const { bytes, file } = await saveWhole(open, encoded);
    return { plan, report: whole.report, depth, tags, bytes, file };
  }

  /** Enlarges an image, discards the result, and returns how long this took, in milliseconds. */
  async probe(image: RgbaImage, task: EnlargeTask): Promise<number> {
    const work = this.#work(await this.plan(image, task), image);
    const { report } = await this.#alone(undefined, () => enlargeWhole(image, work));
    return report.milliseconds;
  }

  #work({ size, chain }: ImagePlan, image: RgbaImage): EnlargePlan {
    const passes = chain.map((model) => this.#pass(model));
    return { size, depth: depthOf(image), device: this.#backend.resampler, passes };
  }

  #weightFile(path: string): ReturnType<typeof readWeightFile> {
    let file = this.#files.get(path);
    if (!file) {
      file = readWeightFile(path);
      // If reading fails, the file is read again for the next image.
      file.catch(() => this.#files.delete(path));
      this.#files.set(path, file);
    }
    return file;
  }

  /** Returns the `Pass` that runs a model. It is created once and reused for all images. */
  #pass(model: ChosenModel): Pass {
    const { architecture, scale, inputRange } = model.network;
    const key = [model.sha256, architecture, scale, inputRange].join(' ');
    const known = this.#passes.get(key);
    if (known) return known;
    const pass = this.#backend.pass(model, this.#settings.precision);
    this.#passes.set(key, pass);
    return pass;
  }

  /** Runs `work` when the backend is free. */
  async #alone<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    let release = () => {};
    this.#turn = new Promise<void>((resolve) => {
      release = resolve;
    });
    try {
      await before;
      throwIfAborted(signal);
      const started = performance.now();
      try {
        return await work();
      } finally {
        this.#busyMs += performance.now() - started;
      }
    } finally {
      release();
    }
  }
}
