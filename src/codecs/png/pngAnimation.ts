import type { Bytes } from '../bytes.ts';
import type { Edit } from '../edits.ts';
import { chunk } from './pngChunks.ts';

/**
 * Makes a still PNG of an animated one, so every decoder returns the same image: the first frame.
 * If that covers only a part of the canvas and is not a frame of its own, it is the image in IDAT,
 * which viewers without animation show. Source: the PNG specification, W3C, third edition.
 */
export function stillOf(bytes: Bytes): {
  readonly animation: 'first frame' | 'still picture' | null;
  readonly edits: readonly Edit[];
} {
  /** The animation's chunks with their data. */
  const chunks: { type: string; at: number; start: number; end: number }[] = [];
  const kinds = ['acTL', 'fcTL', 'fdAT', 'IDAT'];
  for (let at = 8; at + 12 <= bytes.data.length; ) {
    const type = bytes.ascii(at + 4, 4);
    const [start, end] = [at + 8, at + 8 + bytes.u32be(at)];
    if (end + 4 > bytes.data.length) break;
    if (kinds.includes(type)) chunks.push({ type, at, start, end });
    at = end + 4;
  }
  const first = (type: string) => {
    const place = chunks.findIndex((one) => one.type === type);
    return place < 0 ? Number.POSITIVE_INFINITY : place;
  };
  if (first('acTL') > first('IDAT')) return { animation: null, edits: [] };
  const drop = chunks.filter(({ type }) => type !== 'IDAT');
  const dropped = drop.map(({ at, end }): Edit => [at, end + 4]);
  if (first('fcTL') < first('IDAT')) return { animation: 'first frame', edits: dropped };

  const control = chunks[first('fcTL')];
  // Width, height and a position at the corner, as in the header.
  const isWhole =
    control !== undefined &&
    [16, 20].every((at, i) => bytes.u32be(at) === bytes.u32be(control.start + 4 + i * 4)) &&
    bytes.u32be(control.start + 12) === 0 &&
    bytes.u32be(control.start + 16) === 0;
  if (!isWhole) return { animation: 'still picture', edits: dropped };
  const second = chunks.findIndex(({ type }, i) => type === 'fcTL' && i > first('fcTL'));
  const frame = chunks.slice(first('fcTL') + 1, second < 0 ? undefined : second);
  return {
    animation: 'first frame',
    edits: chunks.map((one): Edit => {
      const range = [one.at, one.end + 4] as const;
      if (one.type !== 'fdAT' || !frame.includes(one)) return range;
      // The data follow a four-byte number and equal those of IDAT.
      return [...range, chunk('IDAT', bytes.data.subarray(one.start + 4, one.end))];
    }),
  };
}
