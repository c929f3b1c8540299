import { throwIfAborted } from '../errors.ts';

/**
 * Reads numbers and text from the bytes of a file. A read beyond the end of the file does not throw
 * an error: numbers are NaN, and text is shorter.
 */
export class Bytes {
  readonly data: Uint8Array;

  constructor(data: Uint8Array) {
    this.data = data;
  }

  at(offset: number): number {
    return this.data[offset] ?? Number.NaN;
  }

  u16be(offset: number): number {
    return this.at(offset) * 256 + this.at(offset + 1);
  }

  u16le(offset: number): number {
    return this.at(offset) + this.at(offset + 1) * 256;
  }

  u24le(offset: number): number {
    return this.u16le(offset) + this.at(offset + 2) * 65536;
  }

  u32be(offset: number): number {
    return this.u16be(offset) * 65536 + this.u16be(offset + 2);
  }

  u32le(offset: number): number {
    return this.u16le(offset) + this.u16le(offset + 2) * 65536;
  }

  /** Reads `length` characters, one per byte, or fewer if the file ends earlier. */
  ascii(offset: number, length: number): string {
    let text = '';
    const end = Math.min(offset + length, this.data.length);
    for (let at = offset; at < end; at++) text += String.fromCharCode(this.data[at]);
    return text;
  }

  /** Returns the offset after the next zero byte, or `end` if there is none. */
  afterZero(offset: number, end: number): number {
    const zero = this.data.subarray(offset, end).indexOf(0);
    return zero < 0 ? end : offset + zero + 1;
  }
}

export const ascii = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (c) => c.charCodeAt(0));

/** Converts any number of bytes to text, one character per byte. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}

/**
 * Concatenates byte arrays. The function takes a list instead of one argument per array, because a
 * JavaScript function cannot take millions of arguments.
 */
export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export interface PipeOptions {
  /** The maximum number of output bytes; default: no limit. */
  readonly limit?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with each part of the output. By default, the parts are joined and returned. */
  readonly take?: (part: Uint8Array) => void;
}

/**
 * The number of milliseconds after which the loop in `pipe` pauses, so that other events such as a
 * cancellation can be handled.
 */
const TURN_MS = 50;

/**
 * Pipes bytes through one of the platform's compressors or decompressors.
 * @throws RangeError if the output exceeds the limit; CrispenError `ABORTED`; TypeError for damaged
 *   data
 */
export async function pipe(
  data: readonly Uint8Array<ArrayBuffer>[],
  through: CompressionStream | DecompressionStream,
  { limit = Number.POSITIVE_INFINITY, signal, take }: PipeOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const keep = take ?? ((part) => parts.push(part));
  let length = 0;
  let turn = performance.now();
  const reader = new Blob([...data]).stream().pipeThrough(through).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return join(parts);
      keep(value);
      length += value.length;
      if (length > limit) throw new RangeError(`more than ${limit} bytes`);
      if (performance.now() - turn > TURN_MS) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        turn = performance.now();
      }
      throwIfAborted(signal);
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    throw error;
  }
}
