/** The `compare` divider: its position, and its handling of pointer and keyboard events. */

import type { ImageAttributes } from './attributes.ts';
import { splitAfterKey } from './slider.ts';
import type { Shadow } from './template.ts';

/**
 * The functions through which a divider queries its `<crispen-image>` and reports changes to it.
 */
export interface Divided {
  /**
   * Returns the text with which screen readers announce the position. It contains the placeholders
   * `{original}` and `{result}` for the two percentages.
   */
  readonly position: () => string;
  readonly onMove: () => void;
  /** Called when the visitor moves the divider. */
  readonly onSlide: (value: number) => void;
}

/**
 * If the pointer moves less than this distance (in CSS pixels) during a press on a link, the press
 * counts as a click.
 */
const CLICK_DISTANCE = 4;

interface Press {
  readonly x: number;
  readonly y: number;
  /**
   * Whether a click would follow a link. This is true if the element is inside a link and the press
   * did not begin on the divider.
   */
  readonly isForLink: boolean;
  /** Whether the press has moved the divider. */
  hasMoved: boolean;
}

export class Divider {
  readonly #shadow: Shadow;
  readonly #host: ImageAttributes;
  readonly #divided: Divided;
  #value = 50;
  #press: Press | null = null;

  constructor(host: ImageAttributes, shadow: Shadow, divided: Divided) {
    this.#host = host;
    this.#shadow = shadow;
    this.#divided = divided;
    const { stage, divider } = shadow;
    stage.addEventListener('pointerdown', (event) => this.#grab(event));
    // Without this listener, the browser would drag the link or the image.
    stage.addEventListener('mousedown', (event) => {
      if (host.compare && event.button === 0) event.preventDefault();
    });
    // After a press that moved the divider, the browser must not follow a link that contains the
    // element.
    stage.addEventListener('click', (event) => {
      const isForLink = this.#press?.isForLink && !this.#press.hasMoved;
      if (host.compare && event.button === 0 && !isForLink) event.preventDefault();
    });
    stage.addEventListener('pointermove', (event) => this.#drag(event));
    divider.addEventListener('keydown', (event) => {
      const split = splitAfterKey(event, this.#value / 100, host.vertical);
      if (split === null) return;
      event.preventDefault();
      // Each key press adds or subtracts a step such as 0.01. Rounding removes floating-point
      // errors that would otherwise add up.
      this.#slide(Number((split * 100).toFixed(6)));
    });
  }

  /**
   * The position, from 0 (left or upper edge) to 100. Values outside this range are clamped, and
   * NaN is ignored.
   */
  get value(): number {
    return this.#value;
  }
  set value(wanted: number) {
    if (Number.isNaN(wanted)) return;
    this.#value = Math.min(100, Math.max(0, wanted));
    this.#render();
  }

  /** Shows or hides the divider, and sets its direction and its label for screen readers. */
  update(label: string): void {
    const { divider } = this.#shadow;
    divider.hidden = !this.#host.compare;
    divider.setAttribute('aria-label', label);
    const orientation = this.#host.vertical ? 'vertical' : 'horizontal';
    divider.setAttribute('aria-orientation', orientation);
    this.#render();
  }

  #render(): void {
    const { frame, divider } = this.#shadow;
    const percent = Math.round(this.#value);
    const text = this.#divided
      .position()
      .replace('{original}', String(percent))
      .replace('{result}', String(100 - percent));
    this.#divided.onMove();
    frame.style.setProperty('--split', `${this.#value}%`);
    divider.setAttribute('aria-valuenow', String(percent));
    divider.setAttribute('aria-valuetext', text);
  }

  #slide(value: number): void {
    const before = this.#value;
    this.value = value;
    if (this.#value !== before) this.#divided.onSlide(this.#value);
  }

  #grab(event: PointerEvent): void {
    if (event.button !== 0 || !this.#host.compare) return;
    const { stage, divider } = this.#shadow;
    const path = event.composedPath();
    const isLink = path.some((node) => node instanceof HTMLAnchorElement && node.href !== '');
    const isForLink = isLink && !path.includes(divider);
    const { clientX: x, clientY: y } = event;
    this.#press = { x, y, isForLink, hasMoved: false };
    stage.setPointerCapture(event.pointerId);
    if (isForLink) return;
    divider.focus({ preventScroll: true });
    this.#moveTo(event);
  }

  #drag(event: PointerEvent): void {
    const { stage, divider } = this.#shadow;
    const press = this.#press;
    if (!press || !stage.hasPointerCapture(event.pointerId)) return;
    const { clientX, clientY } = event;
    const distance = Math.hypot(clientX - press.x, clientY - press.y);
    if (press.isForLink && !press.hasMoved && distance < CLICK_DISTANCE) return;
    if (!press.hasMoved) divider.focus({ preventScroll: true });
    press.hasMoved = true;
    this.#moveTo(event);
  }

  #moveTo({ clientX, clientY }: PointerEvent): void {
    const { left, top, width, height } = this.#shadow.stage.getBoundingClientRect();
    const share = this.#host.vertical
      ? (clientY - top) / Math.max(1, height)
      : (clientX - left) / Math.max(1, width);
    this.#slide(share * 100);
  }
}
