/** Crops an image to a region. This module is loaded lazily. */
import { regionOf } from '../engine/tile/tiler.ts';
import { CrispenError } from '../errors.ts';
import type { Rect } from '../geometry.ts';
import type { RgbaImage } from '../image/image.ts';

/** @throws CrispenError `INVALID_INPUT` for a region that is not within the image */
export function partOf<Image extends RgbaImage>(image: Image, region: Rect): Image {
  const { x, y, width, height } = region;
  if (x + width > image.width || y + height > image.height) {
    throw new CrispenError('INVALID_INPUT', 'The region is not within the image.', {
      hint: `The image has ${image.width} x ${image.height} pixels.`,
    });
  }
  return regionOf(image, region, 'zero') as Image;
}
