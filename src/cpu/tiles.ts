/**
 * Support for tiles that several threads compute: the messages between threads, and a class that
 * computes channel means over all bands of an image.
 */
import type { ValueId } from '../engine/compile/fused.ts';
import type { SerializedError } from '../errors.ts';
import type { Rect, Size } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { Packing } from './pixels.ts';
import type { RunChoice } from './runner.ts';
import { type Band, type Means, meansOf, type RowSums, type Vector } from './tasks.ts';

/**
 * Runs a model on tiles. A runner is the model itself, or a copy of the model in another thread.
 */
export interface TileRunner {
  /** Does the same as `CpuModel.run`. */
  run(
    source: RgbaImage,
    size: Size,
    packing: Omit<Packing, 'source' | 'scale'>,
    options: RunChoice,
  ): Promise<boolean>;
}

/** A message to a thread. Threads process messages in order. */
export type Request =
  | { readonly load: number; readonly network: Network; readonly tensors: TensorMap }
  | { readonly drop: number }
  | {
      readonly run: number;
      readonly source: RgbaImage;
      readonly size: Size;
      readonly core: Rect;
      readonly given: Means['given'];
      readonly band: Pick<Band, 'from' | 'to'> | undefined;
    }
  /** The answer to a `sums` message from the thread. */
  | { readonly mean: Vector }
  | { readonly cancel: true };

/**
 * A message from a thread. Threads do not reply to `load` or `drop`. If a model cannot be loaded,
 * each `run` that uses it is answered with the error.
 */
export type Reply =
  | { readonly ready: true }
  | { readonly work: number }
  | { readonly sums: RowSums; readonly id: ValueId }
  | { readonly done: boolean; readonly data: RgbaImage['data'] }
  | { readonly error: SerializedError };

/** The members of `MessagePort` that this backend uses. */
export interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** Computes each channel's mean over an image whose bands are processed at the same time. */
export class Pooling {
  readonly #bands: number;
  readonly #waiting = new Map<ValueId, { sums: RowSums[]; asking: Asking[] }>();
  #failure: unknown = null;

  constructor(bands: number) {
    this.#bands = bands;
  }

  /**
   * Returns a function for the band with the given index, counted from the top. The function takes
   * the band's sums, waits for the other bands, and returns the means over all bands.
   */
  combine(index: number): Band['combine'] {
    return (id, sums) =>
      new Promise((resolve, reject) => {
        if (this.#failure) return reject(this.#failure);
        const entry = this.#waiting.get(id) ?? { sums: [], asking: [] };
        this.#waiting.set(id, entry);
        entry.sums[index] = sums;
        entry.asking.push({ resolve, reject });
        if (entry.asking.length < this.#bands) return;
        this.#waiting.delete(id);
        const means = meansOf(entry.sums);
        for (const ask of entry.asking) ask.resolve(means);
      });
  }

  /** Called if a band fails. All pending and later requests for means then fail with `error`. */
  fail(error: unknown): void {
    this.#failure = error;
    for (const { asking } of this.#waiting.values()) {
      for (const { reject } of asking) reject(error);
    }
    this.#waiting.clear();
  }
}

interface Asking {
  readonly resolve: (means: Vector) => void;
  readonly reject: (error: unknown) => void;
}
