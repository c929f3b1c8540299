import packSource from '../../shaders/pixels/packRgba8.wgsl?raw';
import unpackSource from '../../shaders/pixels/unpackRgba8.wgsl?raw';
import { assemble, contract, type ElementType, MAP_WORDS } from '../kernel.ts';

const SHADERS = {
  'pixels/packRgba8': packSource,
  'pixels/unpackRgba8': unpackSource,
};

/** Returns the number of bytes per pixel. Samples have 16 bits if `wide` is set, otherwise 8. */
export const bytesPerPixel = (wide: boolean): number => (wide ? 8 : 4);

/**
 * The format of an image's pixels and of the feature map that the image is converted to or from. A
 * map with three channels is RGB, and a map with one channel is luma.
 */
export interface PixelFormat {
  /** The map's values are in the range from 0 to this number. */
  readonly range: number;
  readonly channels: number;
  /** Whether the pixels have 16 bits per sample. By default, they have 8. */
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
  mark: 'u32',
});

/**
 * Converts a rectangle of an 8-bit or 16-bit image to a feature map in the range 0 to `range`.
 * Pixels beyond the right and lower edges of the image have the value `padding` if it is given.
 * Otherwise, the image is reflected there. The bindings are `image` and `y`. The uniform's fields
 * are `width`, `height`, `group_row`, `image_width`, `col0`, `row0` and `image_height`. The grid is
 * `mapGrid(width, height, 1)`.
 */
export function unpackRgba8Kernel(
  format: PixelFormat & { readonly padding?: number | undefined },
  element: ElementType = 'f32',
) {
  const { range, channels, wide = false, padding } = format;
  return {
    label: 'unpack rgba',
    code: assemble(
      element,
      {
        RANGE: { f32: range },
        GREY: channels === 1,
        WIDE: wide,
        PADDED: padding !== undefined,
        PADDING: { f32: padding ?? 0 },
      },
      'pixels/unpackRgba8',
      SHADERS,
    ),
    ...UNPACK,
  };
}

/**
 * Converts a rectangle of a feature map to an 8-bit or 16-bit image. Values are clamped and rounded
 * half to even. Alpha comes from the low-resolution (LR) image, enlarged by `scale`. For a luma
 * map, the colour differences also come from the LR image. The bindings are `x`, `source` (the LR
 * image), `image` and `status`. `status` consists of two u32 values: the first becomes 1 if a value
 * of the map is not finite, and each workgroup adds the uniform's `mark` to the second. The
 * uniform's fields are `width`, `height`, `group_row`, `map_width`, `col0`, `row0`, `image_width`
 * and `image_height` (the LR image's size), `out_col0` and `out_row0` (the rectangle's position in
 * the whole output), and `mark`. The grid is `mapGrid(width, height, 1)`.
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
