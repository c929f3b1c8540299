import type { Bytes } from '../bytes.ts';

/** A chunk of a PNG file. */
export interface PngPart {
  readonly type: string;
  /** The offset of the chunk, which consists of a length, a type, data and a checksum. */
  readonly at: number;
  /** The start of the chunk's data. */
  readonly start: number;
  readonly end: number;
  /** The end of the whole chunk. */
  readonly next: number;
}

/**
 * Reads the complete chunks of a PNG file one at a time, because a file can contain millions of
 * them.
 */
export function* pngParts(bytes: Bytes): Generator<PngPart> {
  for (let at = 8; at + 12 <= bytes.data.length; ) {
    const start = at + 8;
    const end = start + bytes.u32be(at);
    if (end + 4 > bytes.data.length) return;
    yield { type: bytes.ascii(at + 4, 4), at, start, end, next: end + 4 };
    at = end + 4;
  }
}
