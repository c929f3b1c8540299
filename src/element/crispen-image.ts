import type { OutputType } from '../codecs/formats.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { UpscaleOutput, UpscaleProgress, UpscalerOptions } from '../worker/page/client.ts';
import { ImageAttributes, INPUTS, upgrade } from './attributes.ts';
import { Divider } from './divider.ts';
import { choose, inspect } from './inspect.ts';
import { encodeResult, enlarge } from './jobs.ts';
import type { Look } from './look.ts';
import { ResultView } from './resultView.ts';
import { scheduler, settings, type Words, wordsFor } from './shared.ts';
import type { SkipReason } from './sizing.ts';
import { arrange, makeShadow, type Shadow } from './template.ts';

export type { SkipReason } from './sizing.ts';

/**
 * The element's state. In CSS, it is available as a custom state, such as
 * `crispen-image:state(done)`.
 */
export type ElementState = 'idle' | 'waiting' | 'working' | 'done' | 'skipped' | 'failed';

/** The element's events. They do not bubble. */
export interface CrispenImageEventMap {
  /** The enlarged image is visible. `detail` contains the result without the bitmap. */
  load: CustomEvent<Omit<UpscaleOutput, 'image'>>;
  progress: CustomEvent<UpscaleProgress>;
  /** The image could not be loaded or enlarged. If the original was loaded, it stays visible. */
  error: CustomEvent<CrispenError>;
  /**
   * The element stopped waiting or working before it had a result. It was removed or changed, or it
   * was scrolled out of view while it was waiting.
   */
  abort: CustomEvent<null>;
  /** The visitor moved the divider to the position `value`. */
  slide: CustomEvent<{ readonly value: number }>;
  /** The model is loaded. */
  modelload: CustomEvent<{ readonly id: string; readonly name: string; readonly scale: number }>;
}

/** The divider's position if `value` is not set. */
const MIDDLE = 50;

/** Work that takes longer than this many milliseconds is announced to screen readers. */
const LONG_MS = 1000;

/**
 * The element `<crispen-image>` shows an image and replaces it with an enlarged, sharper version.
 * Import `crispen/element` to register it.
 *
 * Content: an optional `<img>` (or a `<picture>` with an `<img>`). It is shown first, and remains
 * visible if scripts do not run. If it is absent, the element creates its own image for `src`.
 *
 * Attributes, each with a property of the same name in camel case, such as `baseUrl`:
 * - `src`: the image's URL; default: the URL of the inner `<img>`. `alt`, `crossorigin`, `width`
 *   and `height` have the same meaning as for `<img>`.
 * - `scale`: 2 (default), 3, 4 or `auto`, which is the smallest scale that fills the image's box on
 *   this screen.
 * - `task`: `photo` (default); `clean`, for images that were never saved as JPEG; `dejpeg` or
 *   `denoise`, which remove JPEG artifacts or noise. For these two tasks, the default `scale` is 1,
 *   which keeps the image's size. With any other scale, the restored image is also enlarged.
 * - `model`: the id of a model, or the URL of a weight file (.pth, .safetensors). A file from
 *   another site requires `integrity` or `allow-models`.
 * - `integrity`: the weight file's hash, such as `sha256-` followed by base64. A file with a
 *   different hash is rejected.
 * - `allow-models`: a list of sites, separated by spaces, such as `https://weights.example`. Weight
 *   files from these sites do not need a hash. An empty value allows all sites.
 * - `loading`: `lazy` (default) waits until the element is visible. `eager` does not wait, and
 *   ignores the visitor's data-saving setting.
 * - `compare`: shows a divider between the original and the result.
 * - `vertical`: the divider moves up and down, and the original is above it.
 * - `value`: the divider's position, from 0 (all enlarged) to 100 (all original); default 50.
 *   Setting the attribute moves the divider. The property always contains the current position.
 * - `base-url`: the folder that contains the weight files. Elements with the same folder share one
 *   worker.
 * - `max-pixels`: the maximum number of pixels in a result; default 16,777,216.
 *
 * An image is not enlarged if the screen cannot show more pixels than the file has. It is still
 * restored if `task` is `dejpeg` or `denoise`. Animations and SVG drawings stay unchanged. The page
 * may style the image with borders, padding, rounded corners and `object-fit`, because only the
 * image's pixels are replaced.
 *
 * The enlarged image can be dragged and has the browser's context menu for images. With `compare`,
 * dragging or clicking the image moves the divider instead. If the element is inside a link, a
 * click follows the link.
 *
 * Slot: `handle`, which replaces the divider's round handle. It should not contain focusable
 * elements.
 *
 * Parts: `original`, `stage`, `result`, `divider`, `handle`, `status`. Variables: `--crispen-fade`,
 * `--crispen-divider-width`, `--crispen-divider-color`, `--crispen-handle-size`,
 * `--crispen-handle-color`, `--crispen-handle-background`, `--crispen-focus-color`.
 */
export class CrispenImage extends ImageAttributes {
  static readonly observedAttributes = [
    ...INPUTS,
    'alt',
    'loading',
    'compare',
    'vertical',
    'value',
    'width',
    'height',
  ];

  /** The options for this page's upscalers. They are read when an upscaler is created. */
  static get options(): Omit<UpscalerOptions, 'baseUrl'> {
    return settings.options;
  }
  static set options(options: Omit<UpscalerOptions, 'baseUrl'>) {
    settings.options = options;
  }
  /**
   * The idle time in milliseconds after which the workers and the GPU are freed; default 10,000.
   */
  static get idleMs(): number {
    return settings.idleMs;
  }
  static set idleMs(milliseconds: number) {
    settings.idleMs = milliseconds;
  }
  /** The elements' text for screen readers. A page can translate it. */
  static get words(): Words {
    return settings.words;
  }
  static set words(words: Partial<Words>) {
    settings.words = { ...settings.words, ...words };
  }

  readonly #shadow: Shadow;
  readonly #view: ResultView;
  readonly #divider: Divider;
  readonly #internals: ElementInternals;
  #state: ElementState = 'idle';
  #skipped: SkipReason | null = null;
  #result: UpscaleOutput | null = null;
  /**
   * Information about the file whose URL is `source`. The file itself, `#file`, is kept only while
   * a run needs it.
   */
  #look: (Look & { readonly source: string }) | null = null;
  #file: Blob | null = null;
  #visible = false;
  #updating = false;
  /**
   * The string that `#inputs()` returned for the latest run. It is empty if there was no run, or if
   * the run's result is no longer valid.
   */
  #key = '';
  #scaleMade = 0;
  #controller: AbortController | null = null;
  #run: Promise<void> = Promise.resolve();
  /** The number of `toBlob` calls that are waiting for a result. */
  #wanted = 0;
  readonly #reconsider = () => this.#consider();
  readonly #views: IntersectionObserver;
  readonly #sizes: ResizeObserver;

  constructor() {
    super();
    this.#internals = this.attachInternals();
    this.#shadow = makeShadow(this);
    const { root } = this.#shadow;
    this.#view = new ResultView(this.#shadow, {
      host: this,
      image: () => this.#image,
      split: () => (this.compare ? this.value / 100 : 0),
    });
    this.#divider = new Divider(this, this.#shadow, {
      position: () => this.#words.position,
      onMove: () => this.#view.cut(),
      onSlide: (value) => this.#tell('slide', { value }),
    });
    root.addEventListener('slotchange', () => this.#change());
    // An image's events do not bubble, but capturing listeners receive them.
    const own = (event: Event) => event.target === this.#image && this.#imageEvent(event);
    for (const target of [this, root]) {
      target.addEventListener('load', own, true);
      target.addEventListener('error', own, true);
    }
    upgrade(this, CrispenImage.prototype);
    this.#views = new IntersectionObserver((entries) => {
      this.#visible = entries.at(-1)?.isIntersecting ?? false;
      this.#consider();
    });
    this.#sizes = new ResizeObserver(() => {
      this.#view.place();
      this.#consider();
    });
  }

  /** The position of the `compare` divider, from 0 (all enlarged) to 100 (all original). */
  get value(): number {
    return this.#divider.value;
  }
  set value(value: number | null | undefined) {
    this.#divider.value = value ?? MIDDLE;
  }

  get state(): ElementState {
    return this.#state;
  }

  /** The reason for the state `skipped`; null in all other states. */
  get skipped(): SkipReason | null {
    return this.#skipped;
  }

  /** Information about the visible result; null while the original is shown. */
  get result(): Omit<UpscaleOutput, 'image'> | null {
    return this.#result;
  }

  /**
   * Returns the enlarged image as a file. If there is no result yet, the image is enlarged first,
   * even if the screen cannot show more pixels than the original has. If the original has a colour
   * profile or 16 bits per sample, the image is enlarged again so that the file keeps them.
   *
   * @param options.quality the quality from 0 to 1, ignored for PNG; default 0.92
   * @throws CrispenError in the same cases as `Upscaler.upscale`, and `INVALID_INPUT` if the
   *   element does not enlarge the image
   */
  async toBlob(options: { type?: OutputType; quality?: number } = {}): Promise<Blob> {
    const { type = 'image/png', quality } = options;
    this.#wanted++;
    try {
      await this.#imageReady();
      this.#consider();
      await this.#run;
    } finally {
      this.#wanted--;
    }
    const [shown, result, address] = [this.#view.shown, this.#result, this.#source()];
    if (!shown || !result) {
      throw new CrispenError('INVALID_INPUT', 'There is no enlarged image.', {
        hint: 'It may exceed max-pixels, or the element does not enlarge its format.',
      });
    }
    return scheduler.add({
      key: this.baseUrl,
      rank: () => -1,
      signal: new AbortController().signal,
      run: ({ upscaler }) => encodeResult(upscaler, shown, result, address, { type, quality }),
    });
  }

  connectedCallback(): void {
    this.#views.observe(this);
    addEventListener('resize', this.#reconsider);
    this.#change();
  }

  disconnectedCallback(): void {
    // If the element is only moved, it is connected again before this microtask runs.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#views.disconnect();
      this.#sizes.disconnect();
      removeEventListener('resize', this.#reconsider);
      this.#visible = false;
      this.#reset();
    });
  }

  attributeChangedCallback(name: string, old: string | null, value: string | null): void {
    if (old === value) return;
    if (name === 'value') this.value = value === null ? MIDDLE : Number.parseFloat(value);
    if (INPUTS.includes(name)) this.#key = '';
    this.#change();
  }

  override addEventListener<K extends keyof CrispenImageEventMap>(
    type: K,
    listener: (this: CrispenImage, event: CrispenImageEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    // biome-ignore lint/suspicious/noExplicitAny: the overloads above are what callers see
    listener: any,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
  }

  /**
   * The `<img>` that shows the original. This is the inner image, unless it is absent or `src` is a
   * different URL.
   */
  get #image(): HTMLImageElement {
    const { original } = this.#shadow;
    // The selector skips an icon inside the handle.
    const within = this.querySelector<HTMLImageElement>('img:not([slot], [slot] *)');
    return within && (!this.hasAttribute('src') || within.src === this.src) ? within : original;
  }

  /** Updates the element only once if several attributes change together. */
  #change(): void {
    if (this.#updating || !this.isConnected) return;
    this.#updating = true;
    queueMicrotask(() => {
      this.#updating = false;
      if (this.isConnected) this.#update();
    });
  }

  #update(): void {
    const { original, stage } = this.#shadow;
    const image = this.#image;
    this.#sizes.disconnect();
    this.#sizes.observe(image);
    arrange(this.#shadow, this, image === original);
    this.#divider.update(named(this.#words.divider, image.alt));
    if (this.#key !== this.#inputs()) this.#reset();
    stage.hidden = this.#view.shown === null;
    this.#view.place();
    this.#consider();
  }

  #imageEvent({ type }: Event): void {
    if (type === 'load') this.#change();
    else if (this.#image.currentSrc) {
      this.#reset();
      this.#fail(
        new CrispenError('FETCH_FAILED', `${this.#image.currentSrc} could not be shown.`, {
          hint: 'Check that the address is right and leads to an image.',
        }),
      );
    }
  }

  async #imageReady(): Promise<void> {
    this.#update();
    const image = this.#image;
    image.loading = 'eager';
    try {
      await image.decode();
    } catch (cause) {
      throw new CrispenError('DECODE_FAILED', 'There is no image to enlarge.', {
        hint: 'Check the address in src.',
        cause,
      });
    }
  }

  /**
   * Returns a string that represents everything that affects the result, except the image's size on
   * the screen.
   */
  #inputs(): string {
    const attributes = INPUTS.map((name) => this.getAttribute(name));
    return JSON.stringify([this.#source(), ...attributes]);
  }

  #source(): string {
    return this.src || this.#image.currentSrc;
  }

  get #words() {
    return wordsFor(this.task);
  }

  #choose(forced: boolean) {
    const source = this.#source();
    const known = this.#look?.source === source ? this.#look : null;
    return choose(this, this.#image, source, known, forced);
  }

  /**
   * Starts, continues or stops the work, depending on the attributes, the layout and the
   * visibility.
   */
  #consider(): void {
    const forced = this.#wanted > 0;
    const image = this.#image;
    if (!this.isConnected || !image.complete || image.naturalWidth === 0) return;
    const choice = this.#choose(forced);
    const running = this.#state === 'waiting' || this.#state === 'working';
    const current = this.#key === this.#inputs();
    const isOver = this.#state === 'failed' || this.#skipped === 'slow';
    if (current && isOver && !forced) return;
    if ('skip' in choice) {
      if (current && (this.#state === 'working' || this.#state === 'done')) return;
      this.#reset();
      this.#skipped = choice.skip;
      this.#setState('skipped');
    } else if (current && (running || this.#state === 'done') && this.#scaleMade >= choice.scale) {
      const away = this.loading === 'lazy' && !this.#visible && !forced;
      if (this.#state === 'waiting' && away) this.#reset();
    } else if (this.#visible || this.loading === 'eager' || forced) {
      this.#start(choice.scale);
    } else if (!running) this.#setState('idle');
  }

  #start(scale: number): void {
    this.#reset();
    this.#key = this.#inputs();
    this.#scaleMade = scale;
    const controller = new AbortController();
    this.#controller = controller;
    this.#setState('waiting');
    this.#run = this.#make(controller.signal).catch((error) => {
      if (!controller.signal.aborted) this.#fail(CrispenError.from(error));
      throw error;
    });
    this.#run.catch(() => {}); // an event reports the error, and `toBlob` throws it
  }

  /**
   * Performs all steps from inspecting the file to showing the result. Stops early if there is
   * nothing to do.
   */
  async #make(signal: AbortSignal): Promise<void> {
    const { doing } = this.#words;
    const late = setTimeout(() => this.#say(doing), LONG_MS);
    try {
      const { file, ...look } = await inspect(this.#source(), this.#image, signal);
      throwIfAborted(signal);
      this.#look = look;
      this.#file = file;
      const choice = this.#choose(this.#wanted > 0);
      if ('skip' in choice) return this.#leave(choice.skip);
      this.#scaleMade = choice.scale;
      const output = await scheduler.add({
        key: this.baseUrl,
        rank: () => (this.#visible ? 0 : 1),
        signal,
        run: (tool) =>
          enlarge(tool, this, this.#file ?? this.#image, choice.scale, {
            signal,
            isWanted: () => this.#wanted > 0,
            onStart: () => this.#setState('working'),
            onModel: (model) => this.#tell('modelload', model),
            onProgress: (progress) => this.#tell('progress', progress),
          }),
      });
      if (output === null) this.#leave('slow');
      else if (signal.aborted) (output.image as ImageBitmap).close();
      else this.#show(output);
    } finally {
      clearTimeout(late);
    }
  }

  /** Leaves the image unchanged and sets the state to `skipped`. */
  #leave(reason: SkipReason): void {
    const key = this.#key;
    this.#controller = null;
    this.#reset();
    this.#key = key;
    this.#skipped = reason;
    this.#setState('skipped');
  }

  #show(output: UpscaleOutput): void {
    this.#view.show(output.image as ImageBitmap);
    this.#file = null;
    this.#result = output;
    this.#setState('done');
    if (this.#shadow.status.textContent) this.#say(this.#words.done);
    const { image: _, ...detail } = output;
    this.#tell('load', detail);
  }

  #fail(error: CrispenError): void {
    this.#controller = null;
    this.#file = null;
    this.#key = this.#inputs();
    this.#setState('failed');
    if (this.#shadow.status.textContent) this.#say(settings.words.unchanged);
    this.#tell('error', error);
  }

  /** Shows the original again, and cancels queued or running work. */
  #reset(): void {
    const running = this.#controller !== null && this.#view.shown === null;
    this.#controller?.abort();
    this.#controller = null;
    this.#key = '';
    this.#result = null;
    this.#file = null;
    this.#view.clear();
    this.#shadow.status.textContent = '';
    this.#setState('idle');
    if (running) this.#tell('abort', null);
  }

  #setState(state: ElementState): void {
    const { states } = this.#internals;
    states?.delete(this.#state);
    states?.add(state);
    this.#state = state;
    if (state !== 'skipped') this.#skipped = null;
  }

  #tell<K extends keyof CrispenImageEventMap>(
    type: K,
    detail: CrispenImageEventMap[K]['detail'],
  ): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #say(text: string): void {
    this.#shadow.status.textContent = named(text, this.#image.alt);
  }
}

const named = (text: string, alt: string): string => (alt ? `${text}: ${alt}` : text);
