import type { Bytes } from '../bytes.ts';
import type { Edit } from '../edits.ts';
import { chunk } from './pngChunks.ts';
import { type PngPart, pngParts } from './pngParts.ts';

const KINDS: readonly string[] = ['acTL', 'fcTL', 'fdAT', 'IDAT'];

/**
 * Makes a still PNG of an animated one, so every decoder returns the same image: the first frame.
 * If that covers only a part of the canvas and is not a frame of its own, it is the image in IDAT,
 * which viewers without animation show. Source: the PNG specification, W3C, third edition.
 */
export function stillOf(bytes: Bytes): {
  readonly animation: 'first frame' | 'still picture' | null;
  /** What to do with each of the file's chunks, in their order; undefined: it stays. */
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
  const dropped = ({ type, at, next }: PngPart): Edit | undefined =>
    KINDS.includes(type) && type !== 'IDAT' ? [at, next] : undefined;
  if (isFrameFirst && control) return { animation: 'first frame', edits: () => dropped };

  // Width, height and a position at the corner, as in the header.
  const start = control?.start ?? Number.NaN;
  const isWhole =
    [16, 20].every((at, i) => bytes.u32be(at) === bytes.u32be(start + 4 + i * 4)) &&
    bytes.u32be(start + 12) === 0 &&
    bytes.u32be(start + 16) === 0;
  if (!isWhole) return { animation: 'still picture', edits: () => dropped };
  return {
    animation: 'first frame',
    edits: () => {
      let frames = 0;
      return ({ type, at, start, end, next }) => {
        if (!KINDS.includes(type)) return undefined;
        if (type === 'fcTL') frames++;
        if (type !== 'fdAT' || frames !== 1) return [at, next];
        // The data follow a four-byte number and equal those of IDAT.
        return [at, next, chunk('IDAT', bytes.data.subarray(start + 4, end))];
      };
    },
  };
}
