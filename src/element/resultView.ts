/**
 * The enlarged image on the page: its canvas or image element, its position, and the hole that is
 * cut in the original image beneath it.
 */

import type { Rect } from '../geometry.ts';
import type { ImageAttributes } from './attributes.ts';
import { hole, measure, ownSize, type Radii } from './layout.ts';
import type { Shadow } from './template.ts';

/**
 * What a `ResultView` needs from its custom element. The functions return the current values and
 * are called for each update.
 */
export interface Viewed {
  readonly host: ImageAttributes;
  /** Returns the image under the result. */
  readonly image: () => HTMLImageElement;
  /** Returns the fraction (0 to 1) of the original that stays visible on the left or at the top. */
  readonly split: () => number;
}

/**
 * Shows one result at a time over the original's content box. Frees a result when it is replaced or
 * removed.
 */
export class ResultView {
  readonly #shadow: Shadow;
  readonly #viewed: Viewed;
  #shown: HTMLCanvasElement | HTMLImageElement | null = null;
  /** The canvas whose conversion to an image has started. */
  #copied: HTMLCanvasElement | null = null;
  #hole: { readonly box: Rect; readonly radii: Radii } | null = null;

  constructor(shadow: Shadow, viewed: Viewed) {
    this.#shadow = shadow;
    this.#viewed = viewed;
    shadow.stage.addEventListener('pointerover', () => this.#makeImage());
  }

  /** The element that shows the result. */
  get shown(): HTMLCanvasElement | HTMLImageElement | null {
    return this.#shown;
  }

  /** Takes ownership of a bitmap and shows it. */
  show(bitmap: ImageBitmap): void {
    const canvas = document.createElement('canvas');
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext('bitmaprenderer')?.transferFromImageBitmap(bitmap);
    this.#put(canvas);
    this.#shadow.stage.hidden = false;
  }

  #put(shown: HTMLCanvasElement | HTMLImageElement): void {
    shown.setAttribute('part', 'result');
    shown.setAttribute('aria-hidden', 'true');
    this.#release();
    this.#shown = shown;
    this.place();
    this.#shadow.view.append(shown);
  }

  /** Removes the result and hides the stage. */
  clear(): void {
    this.#release();
    this.#shadow.stage.hidden = true;
  }

  /**
   * Removes the result and frees its memory immediately, without waiting for garbage collection.
   */
  #release(): void {
    const shown = this.#shown;
    if (shown instanceof HTMLCanvasElement) {
      shown.width = 0;
      shown.height = 0;
    } else if (shown) URL.revokeObjectURL(shown.src);
    shown?.remove();
    this.#shown = null;
    this.#copied = null;
  }

  /**
   * Replaces the canvas with an image, so that visitors can drag, copy and save it. Encoding takes
   * time, so this happens only when a pointer enters the stage.
   */
  #makeImage(): void {
    const canvas = this.#shown;
    if (!(canvas instanceof HTMLCanvasElement) || this.#copied === canvas) return;
    this.#copied = canvas;
    canvas.toBlob(async (file) => {
      if (!file) return;
      const image = new Image();
      image.src = URL.createObjectURL(file);
      image.alt = this.#viewed.image().alt;
      image.style.animation = 'none';
      // If the page's content security policy forbids `blob:` images, decoding fails and the
      // canvas stays.
      const isDrawn = await image.decode().then(
        () => true,
        () => false,
      );
      if (isDrawn && this.#shown === canvas) this.#put(image);
      else URL.revokeObjectURL(image.src);
    });
  }

  /** Places the stage over the image's content box. */
  place(): void {
    const shown = this.#shown;
    if (!shown) return;
    const { before, original, frame, stage } = this.#shadow;
    const { host } = this.#viewed;
    const image = this.#viewed.image();
    const { content, radii, zoom } = measure(image);
    const box = image.getBoundingClientRect();
    const from = ({ left, top }: DOMRect) => ({
      x: (box.left - left) / zoom + content.x,
      y: (box.top - top) / zoom + content.y,
    });
    const { x, y } = from(host.getBoundingClientRect());
    const lengths = {
      '--x': x - host.clientLeft,
      '--y': y - host.clientTop,
      '--w': content.width,
      '--h': content.height,
    };
    for (const [name, length] of Object.entries(lengths)) {
      frame.style.setProperty(name, `${length}px`);
    }
    const [across, down] = [0, 1].map((axis) => radii.map((radius) => `${radius[axis]}px`));
    stage.style.borderRadius = `${across.join(' ')} / ${down.join(' ')}`;
    const clipped = image === original ? original : before;
    this.#hole = { radii, box: { ...content, ...from(clipped.getBoundingClientRect()) } };
    this.cut();
    const { objectFit, objectPosition, filter } = getComputedStyle(image);
    const natural = { width: image.naturalWidth, height: image.naturalHeight };
    const own = ownSize(natural, content, objectFit, objectPosition);
    const px = (length?: number) => (length === undefined ? '' : `${length}px`);
    Object.assign(shown.style, {
      objectFit: own ? 'fill' : objectFit.replace('scale-down', 'contain'),
      objectPosition,
      filter,
      position: own ? 'absolute' : '',
      left: px(own?.x),
      top: px(own?.y),
      width: px(own?.width),
      height: px(own?.height),
    });
  }

  /** Hides those pixels of the original that are under the result. */
  cut(): void {
    if (!this.#hole) return;
    const { box, radii } = this.#hole;
    const { host, split } = this.#viewed;
    const path = hole(box, radii, split(), host.vertical);
    this.#shadow.frame.style.setProperty('--hole', path);
  }
}
