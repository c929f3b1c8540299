/** Reads beyond the end give NaN instead of an exception, so a short file has no size. */
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

  ascii(offset: number, length: number): string {
    return String.fromCharCode(...this.data.subarray(offset, offset + length));
  }

  /** The offset after the next zero byte, at most `end`. */
  afterZero(offset: number, end: number): number {
    const zero = this.data.indexOf(0, offset);
    return zero < 0 || zero >= end ? end : zero + 1;
  }
}

export const ascii = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (c) => c.charCodeAt(0));

export function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Runs bytes through one of the platform's (de)compressors. */
export async function pipe(
  data: Uint8Array<ArrayBuffer>,
  through: CompressionStream | DecompressionStream,
  limit = Number.POSITIVE_INFINITY,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = new Blob([data]).stream().pipeThrough(through).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return join(...parts);
    parts.push(value);
    length += value.length;
    if (length > limit) {
      await reader.cancel();
      throw new RangeError(`more than ${limit} bytes`);
    }
  }
}
