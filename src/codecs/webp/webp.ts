import { toRgba8 } from '../../image/pixels.ts';
import { encodeByCanvas } from '../canvas.ts';
import type { Encoder } from '../encoder.ts';
import { embedWebp } from './embed.ts';

/** WebP as the browser writes it: lossy, transparency kept. Not every browser can. */
export const webp: Encoder = {
  type: 'image/webp',
  encode: (image, quality, tags) =>
    encodeByCanvas(toRgba8(image), 'image/webp', quality, null, tags, embedWebp),
};
