import blendSource from '../../shaders/pixels/blend.wgsl?raw';
import { assemble, contract, type ElementType, MAP_WORDS } from '../kernel.ts';

const BLEND = contract(['x'], ['band', 'mean'], {
  ...MAP_WORDS,
  map_width: 'u32',
  band_width: 'u32',
  band_rows: 'u32',
  col0: 'u32',
  row0: 'u32',
  fresh_col: 'u32',
  fresh_row: 'u32',
  core_width: 'u32',
  core_height: 'u32',
});

/**
 * Adds a tile's result to the sums of overlapping tiles, and writes the mean of each pixel that no
 * later tile covers. The grid is `mapGrid(width, height, 1)`.
 */
export const blendKernel = (element: ElementType = 'f32') => ({
  label: 'blend tiles',
  code: assemble(element, {}, 'pixels/blend', { 'pixels/blend': blendSource }),
  ...BLEND,
});
