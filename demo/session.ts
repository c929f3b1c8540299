import {
  type AddedTask,
  CPU_MAX_PIXELS,
  type CpuReport,
  type CrispenError,
  type Detection,
  type Task,
  type UpscaleOutput,
  type UpscaleProgress,
  type Upscaler,
} from '../src/index.ts';
import { choose, firstScale, type ModelChoice, type Offer, SCALES, type Scale } from './models.ts';
import { isBeyondCanvas, sizeWarning } from './words.ts';
import type { Size } from './zoom.ts';

/** A picture that somebody gave. `size` is null where the page could not read it. */
export interface Picture {
  readonly file: Blob;
  readonly name: string;
  readonly size: Size | null;
}

/** What is being done, or what came of it. */
export type Phase =
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'working';
      readonly stage: UpscaleProgress['stage'] | null;
      readonly fraction: number;
      readonly remainingMs: number | null;
    }
  /**
   * The result may be too large for the browser: go on only when told to. `toFile`: only with a file
   * to write it to.
   */
  | { readonly kind: 'confirm'; readonly warning: string; readonly toFile: boolean }
  /** It would take more than a minute. `cpuMs`: so long; null where no network can do it at all. */
  | { readonly kind: 'choose'; readonly cpuMs: number | null }
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed' };

export interface Trouble {
  readonly message: string;
  /** What to do about it; may be empty. */
  readonly hint: string;
}

/** Who does a job that would take long: a network all the same, or a plain resize. */
export type Way = 'network' | 'lanczos';

export type Result = UpscaleOutput & {
  /** To be shown: a browser's reading of the file, or a reduced copy. */
  readonly image: ImageBitmap;
  /**
   * PNG with everything that the picture had: exact values, profile, EXIF and XMP; without the last two
   * where there is a `preview`. Null: it was written to the file called `savedAs`.
   */
  readonly file: Blob | null;
  readonly savedAs: string;
  readonly scale: Scale;
};

export interface State {
  readonly detection: Detection | null;
  readonly picture: Picture | null;
  /** Of the model. */
  readonly task: AddedTask;
  readonly scale: Scale;
  readonly model: ModelChoice;
  readonly phase: Phase;
  /** The last thing that went wrong, until something new is started. */
  readonly trouble: Trouble | null;
}

export interface SessionParts {
  readonly upscaler: Pick<Upscaler, 'detect' | 'upscale' | 'estimateCpu'>;
  readonly models: readonly Offer[];
  /** A file as it can be drawn. */
  readonly draw: (file: Blob) => Promise<ImageBitmap>;
  /** Whether the visitor can be asked for a file to write to. */
  readonly canPickFile: boolean;
  readonly onChange: (state: State) => void;
}

/** What would take longer is not begun unasked. */
const LONG_MS = 60_000;

/** Pixels on the longer side of the copy that is shown of a result too large for that. */
const PREVIEW_SIDE = 2048;

/**
 * The life of one visit: at most one picture and one job at a time. Every change of the picture or
 * of a setting ends the running job and starts the next; whatever an ended job still reports is
 * dropped.
 */
export class Session {
  #state: State;
  readonly #parts: SessionParts;
  #job: AbortController | null = null;
  #kind = '';
  #way: Way | null = null;
  #confirmed = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const model = choose(parts.models, 'upscale', 2, '');
    this.#kind = model.kind;
    this.#state = {
      detection: null,
      picture: null,
      task: 'upscale',
      scale: 2,
      model,
      phase: { kind: 'empty' },
      trouble: null,
    };
  }

  get state(): State {
    return this.#state;
  }

  /** Looks for an adapter before there is anything to do, so that the page can say what it found. */
  async detect(): Promise<Detection> {
    const detection = await this.#parts.upscaler.detect();
    this.#update({ detection });
    return detection;
  }

  /** Takes a new picture in place of the old one and enlarges it. */
  open(picture: Picture): Promise<void> {
    this.#way = null;
    this.#confirmed = false;
    return this.#run({ picture });
  }

  setScale(scale: Scale): Promise<void> {
    this.#confirmed = false;
    this.#askAgain();
    // What restores does so before any enlargement.
    if (this.#state.task !== 'upscale') return this.#run({ scale });
    return this.#run({ scale, model: choose(this.#parts.models, 'upscale', scale, this.#kind) });
  }

  setKind(kind: string): Promise<void> {
    this.#kind = kind;
    this.#askAgain();
    const scale = SCALES.includes(this.#state.scale) ? this.#state.scale : 2;
    const model = choose(this.#parts.models, 'upscale', scale, kind);
    return this.#run({ task: 'upscale', scale, model });
  }

  setTask(task: Task): Promise<void> {
    this.#confirmed = false;
    this.#way = null;
    const scale = firstScale(task);
    return this.#run({ task, scale, model: choose(this.#parts.models, task, scale, this.#kind) });
  }

  /** Takes a model that the visitor added, with its own task and scale. */
  useModel(model: ModelChoice, task: AddedTask, scale: Scale): Promise<void> {
    this.#kind = model.kind;
    this.#confirmed = false;
    this.#askAgain();
    return this.#run({ task, scale, model });
  }

  /** Starts again after an error, a cancellation or a warning that was read. */
  restart(): Promise<void> {
    this.#confirmed = true;
    return this.#run({});
  }

  /** Writes a result that is too large to be shown to a file, as it is made. */
  writeTo(file: FileSystemFileHandle): Promise<void> {
    return this.#run({}, file);
  }

  /** Goes on with a long job. A resize holds for this picture, the network for one job. */
  runWith(way: Way): Promise<void> {
    this.#way = way;
    return this.#run({});
  }

  /** Ends the running job, if there is one. */
  cancel(): void {
    if (this.#job === null) return;
    this.#endJob();
    this.#way = null;
    this.#update({ phase: { kind: 'cancelled' } });
  }

  /** Reports trouble outside of a job, such as a file that could not be saved; nothing is lost. */
  report(trouble: Trouble): void {
    this.#update({ trouble });
  }

  #update(change: Partial<State>): void {
    const old = this.#state.phase;
    this.#state = { ...this.#state, ...change };
    const { phase } = this.#state;
    this.#parts.onChange(this.#state);
    if (old.kind === 'done' && old !== phase) old.result.image.close();
  }

  /** No long job begins without the estimate for just that job. */
  #askAgain(): void {
    if (this.#way === 'network') this.#way = null;
  }

  #endJob(): void {
    this.#job?.abort();
    this.#job = null;
  }

  async #run(change: Partial<State>, to: FileSystemFileHandle | null = null): Promise<void> {
    this.#endJob();
    const picture = change.picture ?? this.#state.picture;
    if (picture === null) {
      this.#update(change);
      return;
    }
    const job = new AbortController();
    this.#job = job;
    const working = (progress: Partial<Phase & { kind: 'working' }> = {}): Phase => ({
      kind: 'working',
      stage: null,
      fraction: 0,
      remainingMs: null,
      ...progress,
    });
    this.#update({ ...change, phase: working(), trouble: null });
    try {
      const phase = await this.#attempt(picture, to, job.signal, (progress) => {
        if (this.#job === job) this.#update({ phase: working(progress) });
      });
      if (this.#job !== job) {
        if (phase.kind === 'done') phase.result.image.close();
        return;
      }
      this.#job = null;
      this.#update({ phase });
    } catch (error) {
      if (this.#job !== job) return;
      this.#job = null;
      const { message, hint } = error as CrispenError;
      this.#update({ phase: { kind: 'failed' }, trouble: { message, hint: hint ?? '' } });
    }
  }

  /** One job up to the phase that it ends in. */
  async #attempt(
    picture: Picture,
    to: FileSystemFileHandle | null,
    signal: AbortSignal,
    onProgress: (progress: UpscaleProgress) => void,
  ): Promise<Phase> {
    const { scale, model } = this.#state;
    const detection = this.#state.detection ?? (await this.detect());
    const warning = picture.size === null ? null : sizeWarning(picture.size, scale);
    const isLarge = picture.size !== null && isBeyondCanvas(picture.size, scale);
    const toFile = isLarge && this.#parts.canPickFile;
    const isAgreed = toFile ? to !== null : this.#confirmed;
    if (warning !== null && !isAgreed) return { kind: 'confirm', warning, toFile };
    if (detection.cpu && this.#way === null && picture.size !== null) {
      const cpuMs = await this.#timeOnCpu(picture.size, detection.cpu);
      if (cpuMs === null || cpuMs > LONG_MS) return { kind: 'choose', cpuMs };
    }
    const output: UpscaleOutput<ImageBitmap | Blob | null> = await this.#parts.upscaler.upscale(
      picture.file,
      {
        scale,
        model: model.id,
        signal,
        onProgress,
        output: 'image/png',
        // What cannot be encoded again is without them from the start.
        metadata: isLarge ? 'drop' : 'keep',
        ...(this.#way === 'lanczos' && { method: 'lanczos' as const }),
        ...(to && { to }),
        ...(isLarge && { preview: PREVIEW_SIDE }),
      },
    );
    const file = output.image as Blob | null;
    const image = output.preview ?? (await this.#parts.draw(file as Blob));
    const result = { ...output, image, file, savedAs: to?.name ?? '', scale };
    return { kind: 'done', result };
  }

  /** Milliseconds; null where there is no WebAssembly and the picture is too large for loops. */
  async #timeOnCpu({ width, height }: Size, { code }: CpuReport): Promise<number | null> {
    if (code === 'loops' && width * height > CPU_MAX_PIXELS) return null;
    const { scale, model } = this.#state;
    return this.#parts.upscaler.estimateCpu(width, height, { scale, model: model.id });
  }
}
