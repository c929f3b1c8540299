import packSource from '../../shaders/pixels/packRgba8.wgsl?raw';
import unpackSource from '../../shaders/pixels/unpackRgba8.wgsl?raw';
import { assemble, contract, type ElementType, MAP_WORDS } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';

const SHADERS: Sources = {
  'pixels/packRgba8': packSource,
  'pixels/unpackRgba8': unpackSource,
};

/** Bytes of a pixel of 16 bits per sample if `wide`, else of 8. */
export const bytesPerPixel = (wide: boolean): number => (wide ? 8 : 4);

/** A map of three channels is RGB, of one channel luma. */
export interface PixelFormat {
  /** Values run from 0 to this. */
  readonly range: number;
  readonly channels: number;
  /** Whether the pixels have 16 bits per sample; default 8. */
  readonly wide?: boolean;
}

const UNPACK = contract(['image'], ['y'], {
  ...MAP_WORDS,
  image_width: 'u32',
  col0: 'u32',
  row0: 'u32',
  image_height: 'u32',
});

const PACK = contract(['x', 'source'], ['image', 'status'], {
  ...MAP_WORDS,
  map_width: 'u32',
  col0: 'u32',
  row0: 'u32',
  image_width: 'u32',
  image_height: 'u32',
  out_col0: 'u32',
  out_row0: 'u32',
});

/**
 * A rectangle of an image of 8 or 16 bits as a feature map of 0..range, reflected beyond the right and the
 * lower edge. Bindings: image, y.
 * Uniform: width, height, group_row, imageWidth, col0, row0, imageHeight.
 * Grid: `mapGrid(width, height, 1)`.
 */
export function unpackRgba8Kernel(format: PixelFormat, element: ElementType = 'f32') {
  const { range, channels, wide = false } = format;
  return {
    label: 'unpack rgba',
    code: assemble(
      element,
      { RANGE: { f32: range }, GREY: channels === 1, WIDE: wide },
      'pixels/unpackRgba8',
      SHADERS,
    ),
    ...UNPACK,
  };
}

/**
 * A rectangle of a feature map as an image of 8 or 16 bits: clamped, rounded half to even; alpha, and for a
 * luma map the colour differences, from the LR image enlarged by `scale`.
 * Bindings: x, LR image, image, status (u32, becomes 1 if a value is not finite).
 * Uniform: width, height, group_row, mapWidth, col0, row0, LR imageWidth, LR imageHeight, and where
 * the rectangle lies in the whole output: outCol0, outRow0. Grid: `mapGrid(width, height, 1)`.
 */
export function packRgba8Kernel(
  format: PixelFormat & { readonly scale: number },
  element: ElementType = 'f32',
) {
  const { range, channels, scale, wide = false } = format;
  return {
    label: 'pack rgba',
    code: assemble(
      element,
      {
        RANGE: { f32: range },
        SCALE: scale,
        GREY: channels === 1,
        WIDE: wide,
      },
      'pixels/packRgba8',
      SHADERS,
    ),
    ...PACK,
  };
}
