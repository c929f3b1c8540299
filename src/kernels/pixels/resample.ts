import columnsSource from '../../shaders/pixels/resampleColumns.wgsl?raw';
import rowsSource from '../../shaders/pixels/resampleRows.wgsl?raw';
import { assemble, contract, MAP_WORDS } from '../kernel.ts';

const SHADERS = {
  'pixels/resampleColumns': columnsSource,
  'pixels/resampleRows': rowsSource,
};

/**
 * The taps of a resize along one axis. Each output pixel is a weighted sum of `count` source
 * pixels: pixel `i` of the output is the sum of `weights[i * count + t]` times pixel `first[i] + t`
 * of the source, for `t` from 0 to `count - 1`.
 */
export interface TapRuns {
  readonly count: number;
  readonly first: Int32Array;
  readonly weights: Float32Array;
}

const COLUMNS = contract(['image', 'taps'], ['ring'], {
  ...MAP_WORDS,
  in_width: 'u32',
  row0: 'u32',
  ring_rows: 'u32',
  count: 'u32',
});

const ROWS = contract(['ring', 'taps'], ['image'], {
  ...MAP_WORDS,
  row0: 'u32',
  ring_rows: 'u32',
  count: 'u32',
});

/**
 * Resizes rows of an 8-bit or 16-bit (`wide`) image horizontally, and stores the results in a ring
 * buffer as linear premultiplied RGBA. The bindings are `image`, `taps` (from `packTaps`) and
 * `ring`. The uniform's fields are `width`, `height` (the number of rows), `group_row`, `in_width`,
 * `row0`, `ring_rows` and `count`. The grid is `mapGrid(width, height, 1)`.
 */
export const resampleColumnsKernel = (wide: boolean) => ({
  label: 'resample columns',
  code: assemble('f32', { WIDE_IN: wide }, 'pixels/resampleColumns', SHADERS),
  ...COLUMNS,
});

/**
 * Resizes the rows in the ring buffer vertically, and converts the results to 8-bit or 16-bit
 * (`wide`) pixels. The bindings are `ring`, `taps` and `image`. The uniform's fields are `width`,
 * `height` (the number of rows), `group_row`, `row0`, `ring_rows` and `count`. The grid is
 * `mapGrid(width, height, 1)`.
 */
export const resampleRowsKernel = (wide: boolean) => ({
  label: 'resample rows',
  code: assemble('f32', { WIDE_OUT: wide }, 'pixels/resampleRows', SHADERS),
  ...ROWS,
});

/**
 * Packs the taps into 32-bit words for the GPU. For each output position, the result contains the
 * first source position (u32), followed by the weights (the bits of f32 values).
 */
export function packTaps({ count, first, weights }: TapRuns): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(first.length * (count + 1));
  const floats = new Float32Array(words.buffer);
  first.forEach((position, i) => {
    const at = i * (count + 1);
    words[at] = position;
    floats.set(weights.subarray(i * count, (i + 1) * count), at + 1);
  });
  return words;
}
