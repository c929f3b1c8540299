import type { Samples } from './image.ts';

/** Checks whether all pixels in the rows passed to `add` have the same colour. */
export class OneColour {
  #first: Samples | null = null;
  #differs = false;

  add(rows: Samples): void {
    if (this.#differs || rows.length === 0) return;
    this.#first ??= rows.slice(0, 3);
    const [r, g, b] = this.#first;
    for (let i = 0; i < rows.length; i += 4) {
      if (rows[i] === r && rows[i + 1] === g && rows[i + 2] === b) continue;
      this.#differs = true;
      return;
    }
  }

  /** The single colour of all pixels as RGB; null if there are several colours or no pixels. */
  get colour(): Samples | null {
    return this.#differs ? null : this.#first;
  }
}
