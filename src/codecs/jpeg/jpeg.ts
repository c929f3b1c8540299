import { toRgba8 } from '../../image/pixels.ts';
import { encodeByCanvas } from '../canvas.ts';
import type { Encoder } from '../encoder.ts';
import { embedJpeg } from './embed.ts';

/**
 * Encodes an image as JPEG. The format does not support transparency, so transparent pixels are
 * drawn on white.
 */
export const jpeg: Encoder = {
  type: 'image/jpeg',
  encode: (image, quality, tags) =>
    encodeByCanvas(toRgba8(image), 'image/jpeg', quality, '#fff', tags, embedJpeg),
};
