import type { Bytes } from '../bytes.ts';
import type { Edit } from '../edits.ts';
import { chunk } from './pngChunks.ts';
import { type PngPart, pngParts } from './pngParts.ts';

const KINDS: readonly string[] = ['acTL', 'fcTL', 'fdAT', 'IDAT'];

/**
 * Finds the edits that convert an animated PNG to a still PNG, so that every decoder returns the
 * same image. Normally, the still PNG contains the first frame. However, the IDAT chunks can
 * contain a separate image for viewers without animation support. If there is such an image and the
 * first frame covers only a part of the canvas, the still PNG contains the separate image. Source:
 * the PNG specification, W3C, third edition.
 */
export function stillOf(bytes: Bytes): {
  readonly animation: 'first frame' | 'still picture' | null;
  /**
   * Returns a function that must be called for each of the file's chunks, in order. That function
   * returns the edit for the chunk, or undefined to keep the chunk.
   */
  readonly edits: () => (part: PngPart) => Edit | undefined;
} {
  let isAnimated = false;
  let control: PngPart | null = null;
  let isFrameFirst: boolean | null = null;
  for (const part of pngParts(bytes)) {
    if (part.type === 'IDAT') {
      if (!isAnimated) break;
      isFrameFirst ??= control !== null;
    } else if (part.type === 'acTL') isAnimated = true;
    else if (part.type === 'fcTL') control ??= part;
    if (control && isFrameFirst !== null) break;
  }
  if (!isAnimated) return { animation: null, edits: () => () => undefined };

  // The first frame covers the canvas if it begins in the top left corner and has the width and
  // height that the file's header states.
  const start = control?.start ?? Number.NaN;
  const isWhole =
    [16, 20].every((at, i) => bytes.u32be(at) === bytes.u32be(start + 4 + i * 4)) &&
    bytes.u32be(start + 12) === 0 &&
    bytes.u32be(start + 16) === 0;
  const isReplaced = !isFrameFirst && isWhole;
  return {
    animation: isFrameFirst || isWhole ? 'first frame' : 'still picture',
    edits: () => {
      let frames = 0;
      return ({ type, at, start, end, next }) => {
        if (!KINDS.includes(type) || (type === 'IDAT' && !isReplaced)) return undefined;
        if (type === 'fcTL') frames++;
        if (type !== 'fdAT' || frames !== 1 || !isReplaced) return [at, next];
        // The data of an fdAT chunk begins with a four-byte sequence number. The rest has the same
        // form as the data of an IDAT chunk.
        return [at, next, chunk('IDAT', bytes.data.subarray(start + 4, end))];
      };
    },
  };
}
