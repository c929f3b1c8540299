import { encodeByCanvas } from '../canvas.ts';
import type { Encoder } from '../encoder.ts';
import { embedJpeg } from './embed.ts';

/**
 * Encodes an image as JPEG. The format does not support transparency, so transparent pixels are
 * drawn on white.
 */
export const jpeg: Encoder = (image, quality, tags) =>
  encodeByCanvas(image, 'image/jpeg', quality, '#fff', tags, embedJpeg);
