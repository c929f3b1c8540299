import { toRgba8 } from '../../image/pixels.ts';
import { encodeByCanvas } from '../canvas.ts';
import type { Encoder } from '../encoder.ts';
import { embedWebp } from './embed.ts';

/**
 * Encodes lossy WebP with transparency, using the browser's encoder. Not every browser has a WebP
 * encoder.
 */
export const webp: Encoder = {
  type: 'image/webp',
  encode: (image, quality, tags) =>
    encodeByCanvas(toRgba8(image), 'image/webp', quality, null, tags, embedWebp),
};
