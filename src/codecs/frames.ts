import { Bytes } from './bytes.ts';
import { gifFrames } from './gif.ts';
import type { ImageFormat } from './header.ts';
import { isoBoxes } from './iso.ts';

/**
 * Returns whether a file contains more than a single still image. This is true for an animation
 * with at least two frames. An animated PNG also has a default image, for viewers that do not
 * support animation. If the default image is not the first frame, the result is true even for a
 * single frame. Sources: PNG third edition 11.3.6, RFC 9649, ISO 14496-12 8.7.3, GIF89a.
 */
export function isMoving(format: ImageFormat, data: Uint8Array): boolean {
  return MOVING[format]?.(new Bytes(data)) ?? false;
}

const MOVING: Partial<Record<ImageFormat, (bytes: Bytes) => boolean>> = {
  PNG: (bytes) => {
    let frames = 0;
    for (let at = 8; at + 12 <= bytes.data.length; at += 12 + bytes.u32be(at)) {
      const type = bytes.ascii(at + 4, 4);
      if (type === 'acTL') frames = bytes.u32be(at + 8);
      // IDAT contains the default image. If a frame control chunk (fcTL) comes before it, the
      // default image is the first frame.
      else if (type === 'fcTL') return frames > 1;
      else if (type === 'IDAT') return frames > 0;
    }
    return false;
  },
  WebP: (bytes) => {
    let frames = 0;
    for (let at = 12; at + 8 <= bytes.data.length; ) {
      if (bytes.ascii(at, 4) === 'ANMF' && ++frames > 1) return true;
      const size = bytes.u32le(at + 4);
      at += 8 + size + (size & 1);
    }
    return false;
  },
  AVIF: (bytes) => {
    if (bytes.ascii(8, 4) !== 'avis') return false;
    const samples = (from: number, to: number, depth: number): number => {
      let most = 0;
      for (const { type, body, end } of isoBoxes(bytes, from, to)) {
        if (type !== TRACK[depth]) continue;
        const isSizes = depth === TRACK.length - 1;
        most = Math.max(most, isSizes ? bytes.u32be(body + 8) : samples(body, end, depth + 1));
      }
      return most;
    };
    return samples(0, bytes.data.length, 0) > 1;
  },
  GIF: (bytes) => [...gifFrames(bytes, 2)].length > 1,
};

/**
 * The types of nested boxes in an AVIF file, from the outermost to the innermost. The innermost box
 * contains the number of samples (frames) in a track.
 */
const TRACK = ['moov', 'trak', 'mdia', 'minf', 'stbl', 'stsz'];
