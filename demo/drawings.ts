import type { Result } from './state.ts';

/**
 * The total number of pixels in the bitmaps that are kept in addition to the visible bitmap. They
 * use 128 MB.
 */
const KEPT_PIXELS = 32e6;

/**
 * Keeps the bitmaps of results, so that earlier results appear immediately. The least recently used
 * bitmaps are freed first.
 */
export class Drawings {
  readonly #draw: (file: Blob) => Promise<ImageBitmap>;
  /** Bitmaps, from the least to the most recently used. */
  readonly #kept = new Map<Result, ImageBitmap>();

  constructor(draw: (file: Blob) => Promise<ImageBitmap>) {
    this.#draw = draw;
  }

  /** Returns the bitmap of a result, if it is in memory. */
  peek(result: Result): ImageBitmap | null {
    return result.preview ?? this.#kept.get(result) ?? null;
  }

  async get(result: Result): Promise<ImageBitmap> {
    const ready = this.peek(result) ?? (await this.#draw(result.file as Blob));
    if (result.preview === null) {
      this.#kept.delete(result);
      this.#kept.set(result, ready);
    }
    return ready;
  }

  /** Frees bitmaps beyond the limit, but never the bitmap of `shown`. */
  trim(shown: Result | null): void {
    const pixels = ({ width, height }: ImageBitmap) => width * height;
    let sum = 0;
    for (const [result, image] of [...this.#kept].reverse()) {
      if (result === shown) continue;
      sum += pixels(image);
      if (sum <= KEPT_PIXELS) continue;
      this.#kept.delete(result);
      image.close();
    }
  }

  /** Frees removed results' bitmaps. */
  drop(results: readonly Result[]): void {
    for (const result of results) {
      this.peek(result)?.close();
      this.#kept.delete(result);
    }
  }
}
