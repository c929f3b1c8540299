import type { Bytes } from './bytes.ts';

/** A frame of a GIF. It covers a rectangle of the GIF's screen. */
export interface GifFrame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /**
   * The offset of the frame's image descriptor. `samplesAt` is the offset of the frame's compressed
   * samples.
   */
  readonly at: number;
  readonly samplesAt: number;
}

/**
 * Reads a GIF's frames in order. The parameter `most` limits the number of frames. If the file ends
 * within a frame's image descriptor, the missing coordinates and sides are NaN.
 */
export function* gifFrames(bytes: Bytes, most: number): Generator<GifFrame> {
  const tableSize = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let frames = 0;
  let at = 13 + tableSize(bytes.at(10));
  while (at < bytes.data.length) {
    const kind = bytes.at(at);
    if (kind === 0x21) at += 2;
    else if (kind === 0x2c) {
      const [x, y, width, height] = [1, 3, 5, 7].map((word) => bytes.u16le(at + word));
      const samplesAt = at + 11 + tableSize(bytes.at(at + 9));
      yield { x, y, width, height, at, samplesAt };
      if (++frames === most) return;
      at = samplesAt;
    } else return;
    at = afterBlocks(bytes, at);
  }
}

/** Returns the offset after a chain of data blocks and the empty block that terminates it. */
function afterBlocks(bytes: Bytes, start: number): number {
  let at = start;
  while (bytes.at(at) > 0) at += 1 + bytes.at(at);
  return at + 1;
}

/**
 * The maximum number of samples per byte of LZW data. A code of `b` bits represents at most `2^b`
 * samples, because each new table entry is one sample longer than an earlier entry. Codes have at
 * most 12 bits.
 */
const LZW_SAMPLES = 2 ** 12 / (12 / 8);

/** Returns whether the first frame has too few bytes for all of its samples. */
export function lacksGifSamples(bytes: Bytes): boolean {
  const [frame] = gifFrames(bytes, 1);
  if (!frame) return false;
  const { width, height, samplesAt } = frame;
  const end = Math.min(afterBlocks(bytes, samplesAt), bytes.data.length);
  return width * height > (end - samplesAt) * LZW_SAMPLES;
}
