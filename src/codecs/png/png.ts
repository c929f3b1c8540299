import { depthOf } from '../../image/image.ts';
import { isOpaque } from '../../image/pixels.ts';
import type { Encoder } from '../encoder.ts';
import { pngWriter } from './pngStream.ts';

/**
 * Encodes an image as PNG, without loss. The encoder does not use a canvas, which would change
 * colours with low alpha. The file has 8 or 16 bits per sample, like the image. It is grey if
 * `tags.grey` is set, unless an RGB profile is the only description of its colours. It has an alpha
 * channel unless every pixel is opaque.
 */
export const png: Encoder = async (image, _quality, tags) => {
  const { width, height, data } = image;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const to = new WritableStream<Uint8Array<ArrayBuffer>>({
    write: (part) => void parts.push(part),
  });
  const header = { width, height, alpha: !isOpaque(data), depth: depthOf(image), tags };
  const rows = pngWriter(header, to).getWriter();
  await rows.write(data);
  await rows.close();
  return new Blob(parts, { type: 'image/png' });
};
