/**
 * Provides the samples from which `statistics.ts` gathers the statistics of an image. A sample is
 * the whole image or, if that does not fit into memory, a collage: a smaller image made of parts of
 * the whole image.
 */
import type { Size } from '../../geometry.ts';
import type { RgbaImage } from '../../image/image.ts';
import { gather, spanOf } from './tiler.ts';

/** The number of parts along each side of a collage. The smallest collages have fewer. */
const PARTS = 4;
/**
 * The minimum side length of a part. The accuracy of estimated statistics was measured with parts
 * of this size.
 */
const MIN_PART = 48;
/**
 * The largest collage contains this share of the image's pixels, unless its parts would then be
 * smaller than `MIN_PART`.
 */
const COLLAGE_SHARE = 1 / 8;

/** An image, or a collage of its parts, from which statistics are gathered. */
export interface Sample {
  readonly kind: 'exact' | 'estimated';
  readonly image: RgbaImage;
}

/**
 * Yields samples of an image. If a sample needs too much memory, the caller can try the next one.
 * The first sample is the whole image if it fits into memory. Smaller and smaller collages follow.
 * @param multiple the parts' side lengths are multiples of this number
 * @param kind `estimated` yields only collages
 */
export function* samplesOf(
  image: RgbaImage,
  multiple: number,
  fits: (size: Size) => boolean,
  kind: Sample['kind'] = 'exact',
): Generator<Sample> {
  if (kind === 'exact' && fits(image)) yield { kind, image };
  for (const [parts, wanted] of collagesOf(image)) {
    // Some networks process whole cells of `multiple` x `multiple` pixels, for example to unshuffle
    // pixels. Each part therefore consists of whole cells.
    const side = parts * Math.ceil(wanted / multiple) * multiple;
    const size = { width: Math.min(image.width, side), height: Math.min(image.height, side) };
    // The last collage is yielded even if it does not fit, so that the caller always gets a sample.
    if (fits(size) || parts === 1) yield { kind: 'estimated', image: collage(image, parts, size) };
  }
}

/**
 * Yields the dimensions of the collages to try: `parts` is the number of parts along each side, and
 * `side` is the side length of a part in pixels. Each collage has about half as many pixels as the
 * previous one until the parts have their minimum size. Later collages have fewer and fewer parts.
 */
function* collagesOf({ width, height }: Size): Generator<[parts: number, side: number]> {
  let side = Math.sqrt(width * height * COLLAGE_SHARE) / PARTS;
  for (; side > MIN_PART; side *= Math.SQRT1_2) yield [PARTS, side];
  for (let parts = PARTS; parts > 0; parts--) yield [parts, MIN_PART];
}

/**
 * Builds a collage. Divides the image into a grid of `parts` x `parts` cells, cuts one part out of
 * the centre of each cell, and joins these parts.
 */
function collage(image: RgbaImage, parts: number, { width, height }: Size): RgbaImage {
  return gather(image, spread(image.width, width, parts), spread(image.height, height, parts));
}

/**
 * Chooses the pixels of a collage along one axis. Divides the image into equal sections and takes a
 * piece from the centre of each.
 * @param size the image's length along the axis, in pixels
 * @param total the sum of the pieces' lengths, in pixels
 * @param parts the number of sections
 */
function spread(size: number, total: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, i) => {
    const length = Math.floor(((i + 1) * total) / parts) - Math.floor((i * total) / parts);
    const centred = Math.floor(((i + 0.5) * size) / parts - length / 2);
    const from = Math.min(Math.max(centred, 0), size - length);
    return spanOf(from, length);
  }).flat();
}
