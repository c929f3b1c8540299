/**
 * The crop dialog, in which the user selects a part of a picture. It is loaded when it is first
 * opened.
 */
import './crop.css';
import type { Rect, Size } from '../../src/geometry.ts';
import { say } from '../dom.ts';
import { ARROWS, button, make } from '../inspector/build.ts';
import { t } from '../texts/texts.ts';
import type { Point } from '../zoom.ts';
import { drawn, GRIPS, type Grip, moved, resized, rounded, shaped } from './rect.ts';

/** The aspect ratios that the user can choose, besides a free ratio and the picture's own ratio. */
const RATIOS = ['1:1', '4:3', '3:4', '16:9', '9:16'] as const;

/** A drag shorter than this, in CSS pixels, draws no new rectangle. */
const SHORTEST_DRAG = 4;

/**
 * Asks the user to select a part of a picture. The result is in the picture's pixels, or null for
 * the whole picture.
 * @param crop the current part
 */
export async function chooseCrop(
  image: HTMLImageElement,
  crop: Rect | null,
): Promise<Rect | null | 'cancelled'> {
  return new Cropper(image, crop).chosen;
}

/**
 * The crop dialog. With the pointer, dragging a handle resizes the rectangle, dragging inside it
 * moves it, and dragging outside it draws a new rectangle. With the keyboard, the arrow keys move
 * the rectangle or a handle by one screen pixel, or by ten pixels with Shift. Enter accepts the
 * part, and Escape cancels.
 */
class Cropper {
  readonly chosen: Promise<Rect | null | 'cancelled'>;
  readonly #size: Size;
  readonly #dialog: HTMLDialogElement;
  readonly #sheet: HTMLElement;
  readonly #facts = make('output', { 'aria-live': 'polite' });
  #rect: Rect;
  /** Width divided by height. Null if the ratio is free. */
  #ratio: number | null = null;
  /** Applies the current drag to the rectangle, given the pointer's position. */
  #drag: ((to: Point) => void) | null = null;

  constructor(image: HTMLImageElement, crop: Rect | null) {
    const { naturalWidth: width, naturalHeight: height } = image;
    this.#size = { width, height };
    const inset = { x: width / 10, y: height / 10 };
    this.#rect =
      crop ?? rounded({ ...inset, width: width * 0.8, height: height * 0.8 }, this.#size);
    this.#sheet = this.#makeSheet(image);
    this.#facts.dataset.testid = 'crop-facts';
    this.#dialog = make(
      'dialog',
      { className: 'crop', 'aria-label': t.crop.title },
      make('div', { className: 'crop-stage' }, this.#sheet),
      this.#makeBar(),
    );
    // Key events must not reach the page below the dialog, where Escape would cancel the job.
    this.#dialog.addEventListener('keydown', (event) => {
      event.stopPropagation();
      this.#key(event);
    });
    this.chosen = new Promise((resolve) => {
      this.#dialog.addEventListener('close', () => {
        const isUsed = this.#dialog.returnValue === 'use';
        this.#dialog.remove();
        resolve(isUsed ? this.#result() : 'cancelled');
      });
    });
    this.#listen();
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#render();
  }

  #makeSheet(image: HTMLImageElement): HTMLElement {
    const words = t.crop;
    const grips = GRIPS.map((grip) => {
      const button = make('button', { type: 'button', 'aria-label': words.grips[grip] });
      button.dataset.grip = grip;
      return button;
    });
    const frame = make(
      'div',
      { className: 'crop-frame', tabIndex: 0, role: 'group', 'aria-label': words.frame },
      ...grips,
    );
    frame.dataset.testid = 'crop-frame';
    const shade = make('div', { className: 'crop-shade' }, make('i'));
    const copy = make('img', { src: image.src, alt: '', draggable: false });
    const sheet = make('div', { className: 'crop-sheet' }, copy, shade, frame);
    sheet.style.setProperty('--ratio', String(this.#size.width / this.#size.height));
    return sheet;
  }

  #makeBar(): HTMLElement {
    const words = t.crop;
    const { width, height } = this.#size;
    const options: [string, number | ''][] = [
      [words.free, ''],
      [words.original, width / height],
      ...RATIOS.map((name): [string, number] => {
        const [across, down] = name.split(':').map(Number);
        return [name, across / down];
      }),
    ];
    const select = make(
      'select',
      { 'aria-label': words.shape },
      ...options.map(([name, ratio]) => make('option', { value: String(ratio) }, name)),
    );
    select.dataset.testid = 'crop-shape';
    select.addEventListener('change', () => {
      this.#ratio = select.value === '' ? null : Number(select.value);
      if (this.#ratio) this.#show(shaped(this.#rect, this.#ratio, this.#size));
    });
    return make(
      'div',
      { className: 'crop-bar' },
      select,
      this.#facts,
      button('button', words.cancel, 'crop-cancel', () => this.#dialog.close()),
      button('button primary', words.use, 'crop-use', () => this.#dialog.close('use')),
    );
  }

  /** Returns the selected part, or null for the whole picture. */
  #result(): Rect | null {
    const rect = rounded(this.#rect, this.#size);
    const { width, height } = this.#size;
    return rect.width === width && rect.height === height ? null : rect;
  }

  #show(rect: Rect): void {
    this.#rect = rect;
    this.#render();
  }

  #render(): void {
    const { x, y, width, height } = rounded(this.#rect, this.#size);
    for (const [name, share] of [
      ['--x', x / this.#size.width],
      ['--y', y / this.#size.height],
      ['--w', width / this.#size.width],
      ['--h', height / this.#size.height],
    ] as const) {
      this.#sheet.style.setProperty(name, `${share * 100}%`);
    }
    say(this.#facts, t.crop.at(`${width} × ${height}`, x, y));
  }

  /** Returns the number of the picture's pixels per CSS pixel. */
  #density(): number {
    return this.#size.width / Math.max(1, this.#sheet.clientWidth);
  }

  #listen(): void {
    const sheet = this.#sheet;
    const at = ({ clientX, clientY }: PointerEvent): Point => {
      const { left, top } = sheet.getBoundingClientRect();
      const density = this.#density();
      return { x: (clientX - left) * density, y: (clientY - top) * density };
    };
    sheet.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      sheet.setPointerCapture(event.pointerId);
      this.#drag = this.#dragFrom(at(event), event.target as HTMLElement);
    });
    sheet.addEventListener('pointermove', (event) => this.#drag?.(at(event)));
    for (const type of ['pointerup', 'pointercancel'] as const) {
      sheet.addEventListener(type, () => {
        this.#drag = null;
      });
    }
  }

  /** Returns the action for a drag that starts at the given point on an element. */
  #dragFrom(from: Point, target: HTMLElement): (to: Point) => void {
    const { grip } = target.dataset;
    const start = this.#rect;
    const [size, ratio] = [this.#size, this.#ratio];
    if (grip) {
      return (to) => {
        const by = [to.x - from.x, to.y - from.y] as const;
        this.#show(resized(start, grip as Grip, by, ratio, size));
      };
    }
    if (target.closest('.crop-frame')) {
      return (to) => this.#show(moved(start, to.x - from.x, to.y - from.y, size));
    }
    const shortest = SHORTEST_DRAG * this.#density();
    return (to) => {
      if (Math.hypot(to.x - from.x, to.y - from.y) < shortest) return;
      this.#show(drawn(from, to, ratio, size));
    };
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (!target.closest('.crop-frame') || event.altKey || event.ctrlKey || event.metaKey) return;
    const direction = ARROWS[event.key];
    if (event.key === 'Enter') this.#dialog.close('use');
    else if (!direction) return;
    else {
      const step = Math.max(1, Math.round(this.#density())) * (event.shiftKey ? 10 : 1);
      const [dx, dy] = [direction[0] * step, direction[1] * step];
      const { grip } = target.dataset;
      this.#show(
        grip
          ? resized(this.#rect, grip as Grip, [dx, dy], this.#ratio, this.#size)
          : moved(this.#rect, dx, dy, this.#size),
      );
    }
    event.preventDefault();
  }
}
