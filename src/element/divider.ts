/** The divider of `compare`: its position, the pointer and the keyboard. */

import { clampSplit, splitAfterKey } from './slider.ts';
import type { Shadow } from './template.ts';

/** What a divider asks of its element. */
export interface Divided {
  readonly isOn: () => boolean;
  /** Text of a position, with `{original}` and `{result}` for the percentages. */
  readonly position: () => string;
  readonly onMove: () => void;
}

export class Divider {
  readonly #shadow: Shadow;
  readonly #divided: Divided;
  #split = 0.5;

  constructor(shadow: Shadow, divided: Divided) {
    this.#shadow = shadow;
    this.#divided = divided;
    const { stage, divider } = shadow;
    stage.addEventListener('pointerdown', (event) => this.#grab(event));
    // A press sets the divider. It neither follows a link around it nor drags the link or the
    // image.
    for (const type of ['click', 'mousedown'] as const) {
      stage.addEventListener(type, (event) => {
        if (divided.isOn() && event.button === 0) event.preventDefault();
      });
    }
    stage.addEventListener('pointermove', (event) => {
      if (stage.hasPointerCapture(event.pointerId)) this.#moveTo(event);
    });
    divider.addEventListener('keydown', (event) => {
      const split = splitAfterKey(event, this.#split);
      if (split === null) return;
      event.preventDefault();
      this.split = split;
    });
  }

  /** 0 (left edge) to 1. Values outside are clamped; NaN is ignored. */
  get split(): number {
    return this.#split;
  }
  set split(value: number) {
    const split = clampSplit(value);
    if (Number.isNaN(split)) return;
    this.#split = split;
    const { frame, divider } = this.#shadow;
    const percent = Math.round(split * 100);
    const text = this.#divided
      .position()
      .replace('{original}', String(percent))
      .replace('{result}', String(100 - percent));
    this.#divided.onMove();
    frame.style.setProperty('--split', `${split * 100}%`);
    divider.setAttribute('aria-valuenow', String(percent));
    divider.setAttribute('aria-valuetext', text);
  }

  /** Shows or hides the divider, and names it for screen readers. */
  update(label: string): void {
    const { divider } = this.#shadow;
    divider.hidden = !this.#divided.isOn();
    divider.setAttribute('aria-label', label);
    this.split = this.#split;
  }

  #grab(event: PointerEvent): void {
    if (event.button !== 0 || !this.#divided.isOn()) return;
    const { stage, divider } = this.#shadow;
    stage.setPointerCapture(event.pointerId);
    divider.focus({ preventScroll: true });
    this.#moveTo(event);
  }

  #moveTo({ clientX }: PointerEvent): void {
    const { left, width } = this.#shadow.stage.getBoundingClientRect();
    this.split = (clientX - left) / Math.max(1, width);
  }
}
