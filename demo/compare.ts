import { splitAfterKey } from '../src/element/slider.ts';
import type { Rect, Size } from '../src/geometry.ts';
import { t } from './texts/texts.ts';
import {
  fitView,
  keepInside,
  type Point,
  pinchView,
  scaleRange,
  type View,
  visibleSpan,
  wheelScale,
  zoomAround,
} from './zoom.ts';

/** The page's elements that the comparison uses. */
export interface CompareElements {
  readonly stage: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly divider: HTMLElement;
  readonly tagBefore: HTMLElement;
  readonly tagAfter: HTMLElement;
  readonly zoomIn: HTMLButtonElement;
  readonly zoomOut: HTMLButtonElement;
  readonly zoomFit: HTMLButtonElement;
  readonly zoomFull: HTMLButtonElement;
}

export interface Pictures {
  readonly before: CanvasImageSource;
  /** The visible part of `before`, in its own pixels. */
  readonly beforePart: Rect;
  /** Whether `before` is drawn as pixels at every zoom. */
  readonly isPixels: boolean;
  /** Whether the difference between `after` and `before` is shown instead of `before`. */
  readonly isDifference: boolean;
  readonly after: CanvasImageSource | null;
  /** The image to draw under `after`. `strength` is the opacity of `after`, from 0 to 1. */
  readonly base: CanvasImageSource | null;
  readonly strength: number;
  /** The size of the enlarged picture in pixels, which is known before that picture exists. */
  readonly size: Size;
  /** The two sides' names in the divider's label: "original", "enlarged". */
  readonly names: readonly [before: string, after: string];
  /** The two sides' labels. */
  readonly tags: readonly [before: string, after: string];
}

const ZOOM_STEP = 1.5;
const PAN_STEP = 60;
/** Above this number of device pixels per picture pixel, pixels are drawn as squares. */
const CLOSE = 2;
const CHECK = 8;
/** The factor by which differences are amplified. It must be a power of two. */
const AMPLIFY = 4;
/** The distance between a label and the edges of its side, as in the style sheet. */
const TAG_MARGIN = 12;

/**
 * Draws both sides on one canvas with the stage's size, so memory use does not depend on the size
 * of the picture. Both are drawn into exactly the same rectangle. The original is enlarged with the
 * browser's bilinear filter, as on a page, or as pixels. A result is drawn as pixels beyond 200 %.
 *
 * Pointer: dragging moves the divider. It can start on the divider, or anywhere while the whole
 * picture is visible. A zoomed picture is panned instead. Wheel and pinch zoom. A double click
 * toggles actual pixels. A double click on the divider centres it. Keyboard: arrow keys move the
 * divider (with Shift, ten times as far) or pan the picture. `keys.ts` handles the keys that work
 * everywhere.
 */
export class Compare {
  readonly #elements: CompareElements;
  readonly #context: CanvasRenderingContext2D;
  #pictures: Pictures | null = null;
  #view: View = { scale: 1, x: 0, y: 0 };
  #stage: Size = { width: 1, height: 1 };
  #fitted = true;
  /** The divider's position, as a fraction (0 to 1) of the picture's visible part. */
  #split = 0.5;
  #frame = 0;
  /**
   * Whether only the left side of the comparison is shown, which is the case while a key is held.
   */
  #isPeeking = false;
  #pointers = new Map<number, Point>();
  #dragging: 'divider' | 'view' | null = null;
  #checks: CanvasPattern | null = null;

  constructor(elements: CompareElements) {
    this.#elements = elements;
    this.#context = elements.canvas.getContext('2d')!;
    // The first drawing operation makes the page wait for the GPU process. It is therefore
    // performed now and not during a job.
    setTimeout(() => this.#context.clearRect(0, 0, 1, 1));
    new ResizeObserver(() => this.#resize()).observe(elements.stage);
    this.#listen();
  }

  /** Shows different pictures. The view stays the same if the enlarged size is the same. */
  show(pictures: Pictures | null): void {
    const old = this.#pictures;
    const sameSize =
      old?.size.width === pictures?.size.width && old?.size.height === pictures?.size.height;
    this.#pictures = pictures;
    if (!sameSize) {
      this.#fitted = true;
      this.#split = 0.5;
    }
    const { divider, tagBefore, tagAfter } = this.#elements;
    divider.hidden = tagAfter.hidden = !pictures?.after;
    const [before = '', after = ''] = pictures?.tags ?? [];
    tagBefore.textContent = before;
    tagAfter.textContent = after;
    this.#resize();
  }

  zoomIn(): void {
    this.#zoomTo(this.#view.scale * ZOOM_STEP);
  }

  zoomOut(): void {
    this.#zoomTo(this.#view.scale / ZOOM_STEP);
  }

  fit(): void {
    this.#fitted = true;
    this.#setView(this.#view);
  }

  showPixels(): void {
    this.#zoomTo(1 / devicePixelRatio);
  }

  peek(isOn: boolean): void {
    if (isOn === this.#isPeeking) return;
    this.#isPeeking = isOn;
    this.#setView(this.#view);
  }

  #resize(): void {
    const { stage, canvas } = this.#elements;
    const { clientWidth: width, clientHeight: height } = stage;
    if (width === 0 || height === 0) return;
    this.#stage = { width, height };
    const ratio = devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    this.#setView(this.#view);
    this.#draw();
  }

  #setView(view: View): void {
    const pictures = this.#pictures;
    if (pictures === null) return;
    this.#view = this.#fitted
      ? fitView(pictures.size, this.#stage, devicePixelRatio)
      : keepInside(view, pictures.size, this.#stage);
    if (this.#frame === 0) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#draw();
      });
    }
  }

  #zoomTo(scale: number, at?: Point): void {
    const pictures = this.#pictures;
    if (pictures === null) return;
    const [smallest, largest] = scaleRange(pictures.size, this.#stage, devicePixelRatio);
    const { width, height } = this.#stage;
    this.#fitted = false;
    this.#setView(
      zoomAround(
        this.#view,
        Math.min(largest, Math.max(smallest, scale)),
        at ?? { x: width / 2, y: height / 2 },
      ),
    );
  }

  #pan(dx: number, dy: number): void {
    this.#fitted = false;
    this.#setView({ ...this.#view, x: this.#view.x + dx, y: this.#view.y + dy });
  }

  #span(): [number, number] {
    const { x, scale } = this.#view;
    return visibleSpan(x, (this.#pictures?.size.width ?? 0) * scale, this.#stage.width);
  }

  #setSplit(split: number): void {
    this.#split = Math.min(1, Math.max(0, split));
    this.#setView(this.#view);
  }

  #splitAt(x: number): void {
    const [start, end] = this.#span();
    this.#setSplit((x - start) / Math.max(1, end - start));
  }

  /** Returns whether the whole picture is visible on the stage, so that panning is unnecessary. */
  #isWhole(): boolean {
    const size = this.#pictures?.size ?? { width: 0, height: 0 };
    return (
      size.width * this.#view.scale <= this.#stage.width + 0.5 &&
      size.height * this.#view.scale <= this.#stage.height + 0.5
    );
  }

  #draw(): void {
    const context = this.#context;
    const { canvas, stage, divider, zoomFull, zoomFit } = this.#elements;
    const pictures = this.#pictures;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (pictures === null) return;
    const ratio = devicePixelRatio;
    const { scale, x, y } = this.#view;
    const left = Math.round(x * ratio);
    const top = Math.round(y * ratio);
    const width = Math.max(1, Math.round(pictures.size.width * scale * ratio));
    const height = Math.max(1, Math.round(pictures.size.height * scale * ratio));
    const [start, end] = this.#span();
    const splitX = start + (end - start) * (this.#isPeeking ? 1 : this.#split);
    const splitPixel = pictures.after === null ? canvas.width : Math.round(splitX * ratio);

    context.fillStyle = this.#checkerboard();
    context.fillRect(left, top, width, height);
    const paint = (
      source: CanvasImageSource,
      [from, to]: readonly [number, number],
      /** Device pixels per source pixel. */
      factor: number,
      isPixels: boolean,
      opacity = 1,
      part?: Rect,
    ) => {
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, canvas.height);
      context.clip();
      context.globalAlpha = opacity;
      context.imageSmoothingEnabled = !isPixels;
      // For enlargements, "high" means a bicubic filter, but browsers show images on pages with a
      // bilinear filter.
      context.imageSmoothingQuality = factor >= 1 ? 'medium' : 'high';
      if (part) {
        const { x, y, width: partWidth, height: partHeight } = part;
        context.drawImage(source, x, y, partWidth, partHeight, left, top, width, height);
      } else context.drawImage(source, left, top, width, height);
      context.restore();
    };
    const { before, beforePart, after } = pictures;
    const factor = scale * ratio;
    const ownFactor = (factor * pictures.size.width) / beforePart.width;
    // The original is an image element. An ImageBitmap is always a result.
    const isResult = before instanceof ImageBitmap;
    const isPixels = pictures.isPixels ? ownFactor >= 1 : isResult && ownFactor > CLOSE;
    paint(before, [0, splitPixel], ownFactor, isPixels, 1, beforePart);
    if (after && pictures.isDifference) {
      const place = { left, top, width, height };
      this.#subtract(after, splitPixel, place, factor > CLOSE);
    }
    if (after) {
      const { base, strength } = pictures;
      const side = [splitPixel, canvas.width] as const;
      if (base && strength < 1) paint(base, side, factor, factor > CLOSE);
      paint(after, side, factor, factor > CLOSE, base ? strength : 1);
    }

    const [spanTop, spanBottom] = visibleSpan(y, height / ratio, this.#stage.height);
    const split = pictures.after === null ? end : splitX;
    const { tagBefore, tagAfter } = this.#elements;
    const isFlat = spanBottom - spanTop < tagBefore.offsetHeight + 2 * TAG_MARGIN;
    for (const [tag, room] of [
      [tagBefore, split - start],
      [tagAfter, end - split],
    ] as const) {
      const fits = !isFlat && room >= tag.offsetWidth + 2 * TAG_MARGIN;
      tag.style.visibility = fits ? '' : 'hidden';
    }
    stage.style.setProperty('--split', `${splitX}px`);
    stage.style.setProperty('--left', `${start}px`);
    stage.style.setProperty('--right', `${this.#stage.width - end}px`);
    stage.style.setProperty('--top', `${spanTop}px`);
    stage.style.setProperty('--height', `${spanBottom - spanTop}px`);
    stage.classList.toggle('is-whole', this.#isWhole());
    const percent = Math.round(this.#split * 100);
    divider.setAttribute('aria-valuenow', String(percent));
    divider.setAttribute('aria-valuetext', t.compare.split(percent, ...pictures.names));
    const zoom = `${Math.round(scale * ratio * 100)} %`;
    zoomFull.textContent = zoom;
    zoomFull.setAttribute('aria-label', t.compare.zoomLabel(zoom));
    zoomFit.setAttribute('aria-pressed', String(this.#fitted));
  }

  /** Replaces the left side with its amplified difference from `after`. */
  #subtract(
    after: CanvasImageSource,
    splitPixel: number,
    { left, top, width, height }: { left: number; top: number; width: number; height: number },
    isPixels: boolean,
  ): void {
    const context = this.#context;
    const [x, y] = [Math.max(0, left), Math.max(0, top)];
    const right = Math.min(splitPixel, left + width);
    const bottom = Math.min(context.canvas.height, top + height);
    if (right <= x || bottom <= y) return;
    context.save();
    context.beginPath();
    context.rect(x, y, right - x, bottom - y);
    context.clip();
    context.imageSmoothingEnabled = !isPixels;
    context.globalCompositeOperation = 'difference';
    context.drawImage(after, left, top, width, height);
    // Differences are too dark to see. Adding the image to itself doubles their brightness.
    context.globalCompositeOperation = 'lighter';
    for (let factor = 1; factor < AMPLIFY; factor *= 2) {
      context.drawImage(context.canvas, x, y, right - x, bottom - y, x, y, right - x, bottom - y);
    }
    context.restore();
  }

  /** Returns the background for transparent pictures. */
  #checkerboard(): CanvasPattern {
    if (this.#checks === null) {
      const tile = document.createElement('canvas');
      tile.width = tile.height = CHECK * 2;
      const context = tile.getContext('2d')!;
      context.fillStyle = '#6b6f75';
      context.fillRect(0, 0, CHECK * 2, CHECK * 2);
      context.fillStyle = '#83888f';
      context.fillRect(0, 0, CHECK, CHECK);
      context.fillRect(CHECK, CHECK, CHECK, CHECK);
      this.#checks = this.#context.createPattern(tile, 'repeat')!;
    }
    return this.#checks;
  }

  #listen(): void {
    const { stage, canvas, divider, zoomIn, zoomOut, zoomFit, zoomFull } = this.#elements;
    zoomIn.addEventListener('click', () => this.zoomIn());
    zoomOut.addEventListener('click', () => this.zoomOut());
    zoomFit.addEventListener('click', () => this.fit());
    zoomFull.addEventListener('click', () => this.showPixels());
    divider.addEventListener('dblclick', () => this.#setSplit(0.5));

    const local = (event: MouseEvent): Point => {
      const box = stage.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    stage.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const { deltaY, deltaMode, ctrlKey } = event;
        this.#zoomTo(wheelScale(this.#view.scale, deltaY, deltaMode, ctrlKey), local(event));
      },
      { passive: false },
    );
    // One finger on the stage can scroll the page, but two fingers always zoom the picture.
    stage.addEventListener('touchstart', (event) => event.touches.length > 1 && prevent(event), {
      passive: false,
    });
    canvas.addEventListener('dblclick', (event) => {
      if (this.#fitted) {
        const full = 1 / devicePixelRatio;
        const { scale } = this.#view;
        this.#zoomTo(scale < full * 0.99 ? full : scale * 3, local(event));
      } else this.fit();
    });

    const down = (event: PointerEvent, target: 'divider' | 'view') => {
      if (event.button !== 0 || this.#pictures === null) return;
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      const point = local(event);
      this.#pointers.set(event.pointerId, point);
      const divides = target === 'divider' || (this.#isWhole() && this.#pictures.after !== null);
      this.#dragging = divides ? 'divider' : 'view';
      if (divides) divider.classList.add('is-held');
      else canvas.classList.add('is-held');
    };
    const move = (event: PointerEvent) => {
      const last = this.#pointers.get(event.pointerId);
      if (last === undefined || this.#pictures === null) return;
      const point = local(event);
      const others = [...this.#pointers].filter(([id]) => id !== event.pointerId);
      this.#pointers.set(event.pointerId, point);
      const other = others[0]?.[1];
      if (other) {
        const range = scaleRange(this.#pictures.size, this.#stage, devicePixelRatio);
        this.#fitted = false;
        this.#setView(pinchView(this.#view, [last, other], [point, other], range));
      } else if (this.#dragging === 'divider') this.#splitAt(point.x);
      else this.#pan(point.x - last.x, point.y - last.y);
    };
    const up = (event: PointerEvent) => {
      this.#pointers.delete(event.pointerId);
      // After a pinch, the remaining finger continues to pan the picture.
      this.#dragging = this.#pointers.size > 0 ? 'view' : null;
      divider.classList.remove('is-held');
      canvas.classList.remove('is-held');
    };
    const targets: [HTMLElement, 'view' | 'divider'][] = [
      [canvas, 'view'],
      [divider, 'divider'],
    ];
    for (const [element, target] of targets) {
      element.addEventListener('pointerdown', (event) => down(event, target));
      element.addEventListener('pointermove', move);
      element.addEventListener('pointerup', up);
      element.addEventListener('pointercancel', up);
    }

    divider.addEventListener('keydown', (event) => {
      const target = splitAfterKey(event, this.#split);
      if (target === null) return;
      prevent(event);
      this.#setSplit(target);
    });
    canvas.addEventListener('keydown', (event) => {
      const step = event.shiftKey ? PAN_STEP * 5 : PAN_STEP;
      const moves: Record<string, [number, number]> = {
        ArrowLeft: [step, 0],
        ArrowRight: [-step, 0],
        ArrowUp: [0, step],
        ArrowDown: [0, -step],
      };
      const by = moves[event.key];
      if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      prevent(event);
      this.#pan(...by);
    });
  }
}

function prevent(event: Event): void {
  event.preventDefault();
}
