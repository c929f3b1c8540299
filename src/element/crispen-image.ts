import type { Restoration } from '../catalog/task.ts';
import type { OutputType } from '../codecs/formats.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { UpscaleOutput, UpscaleProgress, UpscalerOptions } from '../worker/page/client.ts';
import { type Box, hole, measure, ownSize, type Radii } from './layout.ts';
import type { Look } from './look.ts';
import { readyModel, scheduler, settings, type Tool, type Words } from './shared.ts';
import { chooseScale, type SkipReason } from './sizing.ts';
import { clampSplit, splitAfterKey } from './slider.ts';
import { makeShadow, type Shadow } from './template.ts';

export type { SkipReason } from './sizing.ts';

/** The element's state, also a custom state for styles: `crispen-image:state(done)`. */
export type ElementState = 'idle' | 'waiting' | 'working' | 'done' | 'skipped' | 'failed';

/** The element's events. None bubbles. */
export interface CrispenImageEventMap {
  /** The enlarged image is visible. `detail` says what made it; the bitmap itself is not kept. */
  load: CustomEvent<Omit<UpscaleOutput, 'image'>>;
  progress: CustomEvent<UpscaleProgress>;
  /** The job failed; the original stays. */
  error: CustomEvent<CrispenError>;
  /**
   * Waiting or work ended early: the element was removed, scrolled away while waiting, or changed.
   */
  abort: CustomEvent<null>;
  /** The weights are on the GPU. */
  modelload: CustomEvent<{ readonly id: string; readonly name: string; readonly scale: number }>;
}

/** The default limit of a result: 4096 x 4096 pixels. */
const MAX_PIXELS = 2 ** 24;
/** Screen readers are only told about work that takes longer than this. */
const LONG_MS = 1000;

/** Attributes that need a new result when they change. */
const INPUTS = ['src', 'scale', 'model', 'task', 'base-url', 'max-pixels', 'crossorigin'];

/** A server can import the module to render the tag. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * `<crispen-image>`: an image that becomes sharper if WebGPU is available, and stays unchanged if
 * not. Register it by importing `crispen/element`.
 *
 * Content: an optional `<img>` (or a `<picture>` with one). It is shown first, and also if no
 * script runs. Without it, the element shows `src` in an image of its own.
 *
 * Attributes, each with a property of the same name:
 * - `src`: the image; default: what the inner `<img>` shows. `alt`, `crossorigin`, `width`,
 *   `height`
 *   as for an image.
 * - `scale`: 2 (default), 3, 4 or `auto`, the smallest that fills the box on this screen.
 * - `task`: `photo` (default); `clean`, for images that were never saved as JPEG; `dejpeg` or
 *   `denoise`, which remove JPEG artifacts or noise at the image's own size. Their default `scale` is
 *   1; another scale enlarges the restored image.
 * - `model`: the id of a model, or the URL of a weight file (.pth, .safetensors).
 * - `loading`: `lazy` (default) waits until the element is visible; `eager` does not, and also
 *   works
 *   if the visitor asked to save data.
 * - `compare`: a divider between before and after.
 * - `base-url`: folder of the weight files. Elements with the same folder share one worker.
 * - `max-pixels`: larger results are not made; default 16,777,216.
 *
 * An image is not enlarged if the screen could not show more pixels than its file has. It is still
 * restored. Moving images and drawings (SVG) are left unchanged. The page may set an image's
 * borders, padding, corners and `object-fit`: only its pixels are replaced.
 *
 * The enlarged image can be dragged and has the browser's menu for images. With `compare`, dragging
 * moves the divider, and a click on the image does not follow a link around it.
 *
 * Parts: `original`, `stage`, `result`, `divider`, `handle`, `status`. Variables: `--crispen-fade`,
 * `--crispen-divider-width`, `--crispen-divider-color`, `--crispen-handle-size`,
 * `--crispen-handle-color`, `--crispen-handle-background`, `--crispen-focus-color`.
 */
export class CrispenImage extends Base {
  static readonly observedAttributes = [...INPUTS, 'alt', 'loading', 'compare', 'width', 'height'];

  /** Options of the page's single upscaler; read when it is made. */
  static get options(): Omit<UpscalerOptions, 'baseUrl'> {
    return settings.options;
  }
  static set options(options: Omit<UpscalerOptions, 'baseUrl'>) {
    settings.options = options;
  }
  /** Milliseconds without work after which worker and GPU are freed; default 10,000. */
  static get idleMs(): number {
    return settings.idleMs;
  }
  static set idleMs(milliseconds: number) {
    settings.idleMs = milliseconds;
  }
  /** The elements' texts for screen readers, for translation. */
  static get words(): Words {
    return settings.words;
  }
  static set words(words: Partial<Words>) {
    settings.words = { ...settings.words, ...words };
  }

  readonly #shadow: Shadow;
  readonly #internals: ElementInternals;
  #state: ElementState = 'idle';
  #skipped: SkipReason | null = null;
  #result: UpscaleOutput | null = null;
  /** The element that shows the result. */
  #shown: HTMLCanvasElement | HTMLImageElement | null = null;
  /** The canvas from which an image is being made. */
  #copied: HTMLCanvasElement | null = null;
  /** Facts about the file at a URL, and the file while a run needs it. */
  #look: (Look & { readonly source: string }) | null = null;
  #file: Blob | null = null;
  #hole: { box: Box; radii: Radii } | null = null;
  #split = 0.5;
  #visible = false;
  #updating = false;
  /** The inputs of the current run or result. */
  #key = '';
  #scaleMade = 0;
  #controller: AbortController | null = null;
  #run: Promise<void> = Promise.resolve();
  /** Calls of `toBlob` that wait for a result. */
  #wanted = 0;
  readonly #reconsider = () => this.#consider();
  readonly #views: IntersectionObserver;
  readonly #sizes: ResizeObserver;

  constructor() {
    super();
    this.#internals = this.attachInternals();
    this.#shadow = makeShadow(this);
    const { root, stage, divider } = this.#shadow;
    root.addEventListener('slotchange', () => this.#change());
    // An image's events do not bubble, but the capture phase still passes here.
    const own = (event: Event) =>
      event.target instanceof HTMLImageElement && this.#imageEvent(event);
    for (const target of [this, root]) {
      target.addEventListener('load', own, true);
      target.addEventListener('error', own, true);
    }
    stage.addEventListener('pointerover', () => this.#makeImage());
    stage.addEventListener('pointerdown', (event) => this.#grab(event));
    // A press sets the divider. It neither follows a link around it nor drags the link or the
    // image.
    for (const type of ['click', 'mousedown'] as const) {
      stage.addEventListener(type, (event) => {
        if (this.compare && event.button === 0) event.preventDefault();
      });
    }
    stage.addEventListener('pointermove', (event) => {
      if (stage.hasPointerCapture(event.pointerId)) this.#splitAt(event);
    });
    divider.addEventListener('keydown', (event) => {
      const split = splitAfterKey(event, this.#split);
      if (split === null) return;
      event.preventDefault();
      this.split = split;
    });
    this.#upgrade();
    this.split = this.#split;
    this.#views = new IntersectionObserver((entries) => {
      this.#visible = entries.at(-1)?.isIntersecting ?? false;
      this.#consider();
    });
    this.#sizes = new ResizeObserver(() => {
      this.#place();
      this.#consider();
    });
  }

  /**
   * Properties that were set before the element was defined are its own and would hide the
   * accessors.
   */
  #upgrade(): void {
    const accessors = Object.getOwnPropertyDescriptors(CrispenImage.prototype);
    for (const [name, { get, set }] of Object.entries(accessors)) {
      if (!get || !Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      set?.call(this, value);
    }
  }

  // #region attributes

  get src(): string {
    return this.#url('src');
  }
  set src(value: string) {
    reflect(this, 'src', value);
  }
  get alt(): string {
    return this.getAttribute('alt') ?? '';
  }
  set alt(value: string) {
    reflect(this, 'alt', value);
  }
  get scale(): number | 'auto' {
    const value = this.getAttribute('scale') ?? (this.#restoration ? '1' : '2');
    return value === 'auto' ? value : Number(value);
  }
  set scale(value: number | 'auto') {
    reflect(this, 'scale', value);
  }
  get model(): string {
    return this.getAttribute('model') ?? '';
  }
  set model(value: string) {
    reflect(this, 'model', value);
  }
  get task(): string {
    return this.getAttribute('task') ?? 'photo';
  }
  set task(value: string) {
    reflect(this, 'task', value);
  }
  get loading(): 'lazy' | 'eager' {
    return this.getAttribute('loading') === 'eager' ? 'eager' : 'lazy';
  }
  set loading(value: 'lazy' | 'eager') {
    reflect(this, 'loading', value);
  }
  get compare(): boolean {
    return this.hasAttribute('compare');
  }
  set compare(value: boolean) {
    this.toggleAttribute('compare', value);
  }
  get width(): number {
    return Number.parseInt(this.getAttribute('width') ?? '0', 10) || 0;
  }
  set width(value: number) {
    reflect(this, 'width', value);
  }
  get height(): number {
    return Number.parseInt(this.getAttribute('height') ?? '0', 10) || 0;
  }
  set height(value: number) {
    reflect(this, 'height', value);
  }
  get crossOrigin(): string | null {
    return this.getAttribute('crossorigin');
  }
  set crossOrigin(value: string | null) {
    reflect(this, 'crossorigin', value);
  }
  get baseUrl(): string {
    return this.#url('base-url');
  }
  set baseUrl(value: string) {
    reflect(this, 'base-url', value);
  }
  get maxPixels(): number {
    return Number(this.getAttribute('max-pixels')) || MAX_PIXELS;
  }
  set maxPixels(value: number) {
    reflect(this, 'max-pixels', value);
  }

  // #endregion

  /** Position of the divider of `compare`, 0 (all enlarged) to 1 (all original). */
  get split(): number {
    return this.#split;
  }
  set split(value: number) {
    const split = clampSplit(value);
    if (Number.isNaN(split)) return;
    this.#split = split;
    const { frame, divider } = this.#shadow;
    const percent = Math.round(split * 100);
    const { position, positionRestored } = settings.words;
    const text = (this.#restoration ? positionRestored : position)
      .replace('{original}', String(percent))
      .replace('{result}', String(100 - percent));
    this.#cut();
    frame.style.setProperty('--split', `${this.#split * 100}%`);
    divider.setAttribute('aria-valuenow', String(percent));
    divider.setAttribute('aria-valuetext', text);
  }

  get state(): ElementState {
    return this.#state;
  }

  /** Why the state is `skipped`; null in any other state. */
  get skipped(): SkipReason | null {
    return this.#skipped;
  }

  /** What made the visible result; null while the original is shown. */
  get result(): Omit<UpscaleOutput, 'image'> | null {
    return this.#result;
  }

  /**
   * The enlarged image as a file, whether the layout shows it or not. It is made now if necessary,
   * also if the original has a profile or 16 bits per sample, which the file keeps as with
   * `Upscaler.upscale`.
   *
   * @param options.quality 0 to 1 for JPEG and WebP, default 0.92
   * @throws CrispenError the errors of making it; see `Upscaler.upscale`
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
    const [shown, result, address] = [this.#shown, this.#result, this.#source()];
    if (!shown || !result) {
      throw new CrispenError('INVALID_INPUT', 'There is no enlarged image.', {
        hint: 'It may exceed max-pixels, or the element does not enlarge its format.',
      });
    }
    return scheduler.add({
      ...{ key: this.baseUrl, rank: () => -1, signal: new AbortController().signal },
      run: async ({ upscaler }) => {
        const { source, model } = result;
        // A canvas has 8 bits and no profile, so other images are made again, as a file.
        if (model && (source.hasProfile || source.depth === 16)) {
          const request = { model, output: type, quality };
          return (await upscaler.upscale(address, request)).image as Blob;
        }
        const bitmap = await createImageBitmap(shown, { premultiplyAlpha: 'none' });
        const file = upscaler.encode(bitmap, { type, quality });
        return file.finally(() => bitmap.close());
      },
    });
  }

  connectedCallback(): void {
    this.#views.observe(this);
    addEventListener('resize', this.#reconsider);
    this.#change();
  }

  disconnectedCallback(): void {
    // An element that is only moved is connected again at the end of the turn.
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

  /** The image that is shown first: the inner one, unless `src` names another. */
  get #image(): HTMLImageElement {
    const { original } = this.#shadow;
    const within = this.querySelector('img');
    return within && (!this.hasAttribute('src') || within.src === this.src) ? within : original;
  }

  /** The task, if it restores. */
  get #restoration(): Restoration | undefined {
    const { task } = this;
    return task === 'denoise' || task === 'dejpeg' ? task : undefined;
  }

  /** Once per turn, however many attributes changed in it. */
  #change(): void {
    if (this.#updating || !this.isConnected) return;
    this.#updating = true;
    queueMicrotask(() => {
      this.#updating = false;
      if (this.isConnected) this.#update();
    });
  }

  #update(): void {
    const { before, original, size, divider, stage } = this.#shadow;
    const image = this.#image;
    const own = image === original;
    this.#sizes.disconnect();
    this.#sizes.observe(image);
    original.hidden = !own;
    before.hidden = own;
    if (own) {
      original.alt = this.alt;
      original.loading = this.loading;
      // Setting them to the same values would load the image again.
      for (const [name, value] of [
        ['crossorigin', this.crossOrigin],
        ['src', this.src || null],
      ] as const) {
        if (original.getAttribute(name) !== value) reflect(original, name, value);
      }
    } else original.removeAttribute('src');
    const { width, height } = this;
    const ratio = width && height ? `aspect-ratio: ${width} / ${height}` : '';
    const side = width ? `width: ${width}px` : height ? `height: ${height}px` : '';
    size.replaceSync(`:host { ${side}; ${ratio} }`);
    divider.hidden = !this.compare;
    const label = this.#restoration ? settings.words.dividerRestored : settings.words.divider;
    divider.setAttribute('aria-label', words(label, image.alt));
    this.split = this.#split;
    if (this.#key !== this.#inputs()) this.#reset();
    stage.hidden = this.#shown === null;
    this.#place();
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

  /** Everything that the result depends on, except the size on the screen. */
  #inputs(): string {
    const attributes = INPUTS.map((name) => this.getAttribute(name));
    return JSON.stringify([this.#source(), ...attributes]);
  }

  #source(): string {
    return this.src || this.#image.currentSrc;
  }

  /** Starts, keeps or stops the work, depending on attributes, layout and visibility. */
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

  #choose(forced: boolean): ReturnType<typeof chooseScale> {
    const image = this.#image;
    const known = this.#look?.source === this.#source() ? this.#look : null;
    if (known?.isLeft || /\.svg($|[?#])|^data:image\/svg/i.test(this.#source())) {
      return { skip: 'format' };
    }
    const { connection } = navigator as { connection?: { saveData?: boolean } };
    if (connection?.saveData && this.loading !== 'eager' && !forced) return { skip: 'save-data' };
    const { naturalWidth, naturalHeight } = image;
    const [width, height] = known?.size ?? [naturalWidth, naturalHeight];
    const { content } = measure(image);
    const choice = chooseScale({
      // EXIF may have rotated it.
      ...(width > height === naturalWidth > naturalHeight
        ? { width, height }
        : { width: height, height: width }),
      density: Math.sqrt((width * height) / (naturalWidth * naturalHeight)),
      ...{ shownWidth: content.width, shownHeight: content.height, forced },
      ...{ ratio: devicePixelRatio, fit: getComputedStyle(image).objectFit },
      ...{ scale: this.scale, maxPixels: this.maxPixels },
      restores: this.#restoration !== undefined,
    });
    // The page's size for a candidate of `srcset` is not that of its file, so the file must be
    // inspected.
    const isGuess = 'skip' in choice && !known && content.width > 0 && hasCandidates(image);
    return isGuess ? { scale: 1 } : choice;
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
    this.#run.catch(() => {}); // events report it, and `toBlob` receives it as well
  }

  /** From inspecting the file to the result, unless the file shows that there is nothing to do. */
  async #make(signal: AbortSignal): Promise<void> {
    const { enlarging, restoring } = settings.words;
    const doing = this.#restoration ? restoring : enlarging;
    const late = setTimeout(() => this.#say(doing), LONG_MS);
    try {
      await this.#lookAtFile(signal);
      throwIfAborted(signal);
      const choice = this.#choose(this.#wanted > 0);
      if ('skip' in choice) return this.#leave(choice.skip);
      this.#scaleMade = choice.scale;
      const output = await scheduler.add({
        ...{ key: this.baseUrl, rank: () => (this.#visible ? 0 : 1), signal },
        run: (tool) => this.#work(tool, choice.scale, signal),
      });
      if (output === null) this.#leave('slow');
      else if (signal.aborted) (output.image as ImageBitmap).close();
      else this.#show(output);
    } finally {
      clearTimeout(late);
    }
  }

  /** The picture stays as it is. */
  #leave(reason: SkipReason): void {
    const key = this.#key;
    this.#controller = null;
    this.#reset();
    this.#key = key;
    this.#skipped = reason;
    this.#setState('skipped');
  }

  /**
   * Reads the file from the browser's cache, where the page has just put it, if that is allowed.
   */
  async #lookAtFile(signal: AbortSignal): Promise<void> {
    const source = this.#source();
    const credentials = this.#image.crossOrigin === 'use-credentials' ? 'include' : 'same-origin';
    const unknown = { isLeft: /\.gif($|[?#])|^data:image\/gif/i.test(source), size: null };
    let found: Look = unknown;
    this.#file = null;
    try {
      const response = await fetch(source, { signal, credentials, cache: 'force-cache' });
      if (!response.ok) throw new Error(response.statusText);
      const file = await response.blob();
      const { look } = await import('./look.ts');
      found = await look(file);
      if (!signal.aborted) this.#file = file;
    } catch {
      // The page may show a file that a script cannot fetch (`connect-src`, a URL that works once).
    }
    if (!signal.aborted) this.#look = { source, ...found };
  }

  /** @returns null where it would take more than a minute and nobody insists */
  async #work(tool: Tool, scale: number, signal: AbortSignal): Promise<UpscaleOutput | null> {
    throwIfAborted(signal);
    if (!(scale > 0)) {
      throw new CrispenError('INVALID_INPUT', `"${this.getAttribute('scale')}" is not a scale.`, {
        hint: 'Choose 2, 3, 4 or auto.',
      });
    }
    if (tool.refusal) throw tool.refusal;
    this.#setState('working');
    const onProgress = (progress: UpscaleProgress) => this.#tell('progress', progress);
    const task = this.#restoration;
    const wanted = this.model || tool.modelFor(this.task, scale);
    const model = await readyModel(tool, wanted, task ? 1 : scale, { task, signal, onProgress });
    this.#tell('modelload', model);
    let isLeft = false;
    const confirm = () => {
      isLeft = this.#wanted === 0;
      return !isLeft;
    };
    const running = { signal, onProgress, confirm };
    const request = { model: model.id, ...(task && { task, scale }), ...running };
    try {
      return await tool.upscaler.upscale(this.#file ?? this.#image, request);
    } catch (error) {
      if (isLeft && !signal.aborted) return null;
      throw error;
    }
  }

  #show(output: UpscaleOutput): void {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [output.width, output.height];
    canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(output.image as ImageBitmap);
    this.#file = null;
    this.#result = output;
    this.#put(canvas);
    this.#shadow.stage.hidden = false;
    this.#setState('done');
    const { enlarged, restored } = settings.words;
    if (this.#shadow.status.textContent) this.#say(this.#restoration ? restored : enlarged);
    const { image: _, ...detail } = output;
    this.#tell('load', detail);
  }

  #put(shown: HTMLCanvasElement | HTMLImageElement): void {
    shown.setAttribute('part', 'result');
    shown.setAttribute('aria-hidden', 'true');
    this.#free();
    this.#shown = shown;
    this.#place();
    this.#shadow.view.append(shown);
  }

  /** Frees memory now instead of at the next garbage collection. */
  #free(): void {
    const shown = this.#shown;
    if (shown instanceof HTMLCanvasElement) [shown.width, shown.height] = [0, 0];
    else if (shown) URL.revokeObjectURL(shown.src);
    shown?.remove();
    this.#shown = null;
    this.#copied = null;
  }

  /**
   * Replaces the canvas with an image, for the browser's own dragging, copying and saving. Encoding
   * takes time, so it waits for a pointer.
   */
  #makeImage(): void {
    const canvas = this.#shown;
    if (!(canvas instanceof HTMLCanvasElement) || this.#copied === canvas) return;
    this.#copied = canvas;
    canvas.toBlob(async (file) => {
      if (!file) return;
      const image = new Image();
      image.src = URL.createObjectURL(file);
      image.alt = this.#image.alt;
      image.style.animation = 'none';
      // A policy may forbid blob images. The canvas stays then.
      const isDrawn = await image.decode().then(
        () => true,
        () => false,
      );
      if (isDrawn && this.#shown === canvas) this.#put(image);
      else URL.revokeObjectURL(image.src);
    });
  }

  #fail(error: CrispenError): void {
    this.#controller = null;
    this.#file = null;
    this.#key = this.#inputs();
    this.#setState('failed');
    if (this.#shadow.status.textContent) this.#say(settings.words.unchanged);
    this.#tell('error', error);
  }

  /** Returns to the original and cancels what waits or runs. */
  #reset(): void {
    const running = this.#controller !== null && this.#shown === null;
    this.#controller?.abort();
    this.#controller = null;
    this.#key = '';
    this.#result = null;
    this.#file = null;
    this.#free();
    this.#shadow.stage.hidden = true;
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
    this.#shadow.status.textContent = words(text, this.#image.alt);
  }

  /** Places the stage over the content box of the image. */
  #place(): void {
    const shown = this.#shown;
    if (!shown) return;
    const { before, original, frame, stage } = this.#shadow;
    const image = this.#image;
    const { content, radii, zoom } = measure(image);
    const box = image.getBoundingClientRect();
    const from = ({ left, top }: DOMRect) => ({
      x: (box.left - left) / zoom + content.x,
      y: (box.top - top) / zoom + content.y,
    });
    const host = from(this.getBoundingClientRect());
    const lengths = {
      ...{ '--x': host.x - this.clientLeft, '--y': host.y - this.clientTop },
      ...{ '--w': content.width, '--h': content.height },
    };
    for (const [name, length] of Object.entries(lengths)) {
      frame.style.setProperty(name, `${length}px`);
    }
    const [across, down] = [0, 1].map((axis) => radii.map((radius) => `${radius[axis]}px`));
    stage.style.borderRadius = `${across.join(' ')} / ${down.join(' ')}`;
    const clipped = image === original ? original : before;
    this.#hole = { radii, box: { ...content, ...from(clipped.getBoundingClientRect()) } };
    this.#cut();
    const { objectFit, objectPosition, filter } = getComputedStyle(image);
    const natural = { width: image.naturalWidth, height: image.naturalHeight };
    const own = ownSize(natural, content, objectFit, objectPosition);
    Object.assign(shown.style, {
      ...{ objectFit: own ? 'fill' : objectFit.replace('scale-down', 'contain') },
      ...{ objectPosition, filter, position: own ? 'absolute' : '' },
      ...{ left: own ? `${own.x}px` : '', top: own ? `${own.y}px` : '' },
      ...{ width: own ? `${own.width}px` : '', height: own ? `${own.height}px` : '' },
    });
  }

  /** Clips the original's pixels under the result. */
  #cut(): void {
    if (!this.#hole) return;
    const { box, radii } = this.#hole;
    const path = hole(box, radii, this.compare ? this.#split : 0);
    this.#shadow.frame.style.setProperty('--hole', path);
  }

  #grab(event: PointerEvent): void {
    if (event.button !== 0 || !this.compare) return;
    const { stage, divider } = this.#shadow;
    stage.setPointerCapture(event.pointerId);
    divider.focus({ preventScroll: true });
    this.#splitAt(event);
  }

  #splitAt({ clientX }: PointerEvent): void {
    const { left, width } = this.#shadow.stage.getBoundingClientRect();
    this.split = (clientX - left) / Math.max(1, width);
  }

  #url(name: string): string {
    const value = this.getAttribute(name);
    if (value === null || value === '') return '';
    try {
      return new URL(value, document.baseURI).href;
    } catch {
      return value; // like an image: a value that cannot be resolved is returned unchanged
    }
  }
}

/** Null and undefined, which frameworks use for "no value", remove the attribute. */
function reflect(element: Element, name: string, value: string | number | null | undefined): void {
  if (value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, String(value));
}

/** Whether the browser chose among files of different densities. */
const hasCandidates = (image: HTMLImageElement): boolean =>
  image.srcset !== '' || image.parentElement instanceof HTMLPictureElement;

const words = (text: string, alt: string): string => (alt ? `${text}: ${alt}` : text);
