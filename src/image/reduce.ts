import { checkValue, number, side } from '../options.ts';
import type { Rgba8Image, Samples } from './image.ts';

const SIDE = side();
const LIMIT = number({ min: 1, max: Number.MAX_VALUE });

/**
 * Builds a small 8-bit preview image from rows as they arrive. Each preview pixel is the
 * alpha-weighted mean of a square of `#factor` x `#factor` pixels, computed from the stored
 * (gamma-encoded) values.
 */
export class Reduction {
  readonly #width: number;
  readonly #factor: number;
  /** The preview image. It is complete after all rows have been added. */
  readonly image: Rgba8Image;
  /** The sums of `R * A`, `G * A`, `B * A` and `A` for each column of the preview image. */
  readonly #sums: Float64Array;
  /**
   * The number of input rows that have been added to `#sums` for the current row of the preview
   * image. `#done` is the number of finished rows of the preview image.
   */
  #rows = 0;
  #done = 0;
  #left: number;

  /**
   * @param limit the maximum length of the preview image's longest side
   * @throws CrispenError `INVALID_INPUT` for an invalid limit or size
   */
  constructor(width: number, height: number, limit: number) {
    this.#width = checkValue('The width', width, SIDE);
    this.#left = checkValue('The height', height, SIDE);
    const most = checkValue('The preview', limit, LIMIT);
    this.#factor = Math.ceil(Math.max(width, height) / most);
    const [w, h] = [Math.ceil(width / this.#factor), Math.ceil(height / this.#factor)];
    this.image = { width: w, height: h, data: new Uint8ClampedArray(w * h * 4) };
    this.#sums = new Float64Array(w * 4);
  }

  /** Adds whole rows of RGBA, from top to bottom. */
  take(rows: Samples): void {
    const bytes = this.#width * 4;
    for (let at = 0; at < rows.length; at += bytes) {
      this.#add(rows, at);
      this.#rows++;
      this.#left--;
      if (this.#rows === this.#factor || this.#left === 0) this.#finishRow(rows);
    }
  }

  #add(rows: Samples, from: number): void {
    const [sums, factor, width] = [this.#sums, this.#factor, this.#width];
    // Each preview pixel has four consecutive sums. `cell` is the index of the first one, and
    // `start` is the first input column that the preview pixel covers.
    for (let cell = 0, start = 0; cell < sums.length; cell += 4, start += factor) {
      const end = Math.min(width, start + factor);
      let [r, g, b, a] = [0, 0, 0, 0];
      for (let x = start; x < end; x++) {
        const i = from + x * 4;
        const alpha = rows[i + 3];
        r += rows[i] * alpha;
        g += rows[i + 1] * alpha;
        b += rows[i + 2] * alpha;
        a += alpha;
      }
      sums[cell] += r;
      sums[cell + 1] += g;
      sums[cell + 2] += b;
      sums[cell + 3] += a;
    }
  }

  #finishRow(rows: Samples): void {
    const { width, data } = this.image;
    const unit = rows instanceof Uint16Array ? 257 : 1;
    for (let x = 0; x < width; x++) {
      const columns = Math.min(this.#factor, this.#width - x * this.#factor);
      const at = (this.#done * width + x) * 4;
      const alpha = this.#sums[x * 4 + 3];
      for (let c = 0; c < 3; c++) data[at + c] = alpha && this.#sums[x * 4 + c] / alpha / unit;
      data[at + 3] = alpha / (columns * this.#rows) / unit;
    }
    this.#sums.fill(0);
    this.#rows = 0;
    this.#done++;
  }
}
