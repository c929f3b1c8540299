import { encodeByCanvas } from '../canvas.ts';
import type { Encoder } from '../encoder.ts';
import { embedWebp } from './embed.ts';

/**
 * Encodes lossy WebP with transparency, using the browser's encoder. Not every browser has a WebP
 * encoder.
 */
export const webp: Encoder = (image, quality, tags) =>
  encodeByCanvas(image, 'image/webp', quality, null, tags, embedWebp);
