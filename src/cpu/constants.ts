import type { NetworkWeights } from '../engine/compile/weights.ts';
import { internal } from '../errors.ts';
import { padded } from './layout.ts';

/** The alignment of packed weights and other constants: the size of a cache line in bytes. */
const ALIGN = 64;

export const aligned = (address: number): number => Math.ceil(address / ALIGN) * ALIGN;

/** Weights and other constants, stored consecutively. They stay in memory between runs. */
export class Constants {
  readonly #known = new Map<string, number>();
  readonly #data: { readonly address: number; readonly data: Float32Array }[] = [];
  readonly #weights: NetworkWeights;
  readonly exact: boolean;
  #end = ALIGN;

  /**
   * @param exact whether 3x3 convolutions avoid tiles of 2x2 pixels, which increase rounding errors
   */
  constructor(weights: NetworkWeights, exact = false) {
    this.#weights = weights;
    this.exact = exact;
  }

  /** The first free address after the constants. */
  get end(): number {
    return this.#end;
  }

  /** Returns the address of the data that `make` returns. Calls `make` once per key. */
  address(key: string, make: () => Float32Array): number {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const data = make();
    const address = this.#end;
    this.#data.push({ address, data });
    this.#known.set(key, address);
    this.#end = aligned(address + data.byteLength);
    return address;
  }

  weight(name: string): Float32Array {
    const data = this.#weights.get(name);
    if (!data) throw internal(`weight ${name} was not bound`);
    return data;
  }

  /** Returns the address of an array that repeats `value` for each channel. */
  repeated(value: number, channels: number): number {
    const count = padded(channels);
    return this.address(`${value} x ${count}`, () => new Float32Array(count).fill(value));
  }

  /**
   * Returns the address of an array that contains one value per channel, and zeros for padding
   * channels. If `values` is not given, the values are those of the weight named `key`.
   */
  perChannel(key: string, values?: readonly number[]): number {
    return this.address(key, () => {
      const given = values ?? this.weight(key);
      const data = new Float32Array(padded(given.length));
      data.set(given);
      return data;
    });
  }

  /** Writes all constants to memory and frees the arrays that held them. */
  write(buffer: ArrayBufferLike): void {
    for (const { address, data } of this.#data) {
      new Float32Array(buffer, address, data.length).set(data);
    }
    this.#data.length = 0;
  }
}

/**
 * An input pixel that a convolution kernel covers along one axis: its distance from the output
 * pixel, in input pixels, and the kernel positions that cover it. If the input map is first
 * enlarged (nearest-neighbour), several kernel positions can cover the same input pixel.
 */
export interface Tap {
  readonly distance: number;
  readonly positions: readonly number[];
}

/**
 * Returns the taps along one axis. If the input map is enlarged, an output pixel's phase is its
 * position modulo `upsample`, and each phase has its own taps. Kernel positions that cover the same
 * input pixel share a tap, so `packWeights` adds their weights.
 */
export function tapsOf(kernel: 1 | 3, upsample = 1, phase = 0): readonly Tap[] {
  const taps: { distance: number; positions: number[] }[] = [];
  for (let k = 0; k < kernel; k++) {
    const distance = Math.floor((phase + k - (kernel >> 1)) / upsample);
    const last = taps.at(-1);
    if (last?.distance === distance) last.positions.push(k);
    else taps.push({ distance, positions: [k] });
  }
  return taps;
}

/**
 * Packs weights [cOut][cIn][kernel][kernel] in the order in which the WebAssembly module reads
 * them: [blocks of 8 output channels][k][8], and then [k][4] if four output channels remain. The
 * index `k` runs over the layer's input maps, the taps in `rows`, the taps in `columns`, and the
 * input map's channels including padding. The input channel varies fastest. `parts` contains the
 * number of channels of each input map.
 */
export function packWeights(
  oihw: Float32Array,
  { cIn, cOut, kernel }: { readonly cIn: number; readonly cOut: number; readonly kernel: number },
  parts: readonly number[],
  rows: readonly Tap[],
  columns: readonly Tap[],
): Float32Array {
  const outputs = padded(cOut);
  const depth = parts.reduce((sum, part) => sum + padded(part), 0) * rows.length * columns.length;
  const packed = new Float32Array(outputs * depth);
  let at = 0;
  for (let from = 0; from < outputs; ) {
    const block = outputs - from >= 8 ? 8 : 4;
    let first = 0;
    for (const part of parts) {
      for (const row of rows) {
        for (const column of columns) {
          for (let c = 0; c < padded(part); c++) {
            for (let o = from; o < Math.min(from + block, cOut) && c < part; o++) {
              const base = (o * cIn + first + c) * kernel * kernel;
              let sum = 0;
              for (const ky of row.positions)
                for (const kx of column.positions) sum += oihw[base + ky * kernel + kx];
              packed[at + o - from] = sum;
            }
            at += block;
          }
        }
      }
      first += part;
    }
    from += block;
  }
  return packed;
}
