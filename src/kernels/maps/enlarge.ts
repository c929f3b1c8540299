import bilinearSource from '../../shaders/maps/bilinear.wgsl?raw';
import nearestSource from '../../shaders/maps/nearest.wgsl?raw';
import { assemble, contract, type ElementType, MAP_WORDS } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';

const SHADERS: Sources = {
  'maps/bilinear': bilinearSource,
  'maps/nearest': nearestSource,
};

const ENLARGE = contract(['x'], ['y'], MAP_WORDS);

/**
 * The bindings are `x` and `y`. The grid is `mapGrid(width, height, blocks)`, with the output's
 * width, height and number of blocks.
 */
export function enlargeKernel(
  method: 'nearest' | 'bilinear',
  scale: number,
  element: ElementType = 'f32',
) {
  return {
    label: `${method} x${scale}`,
    code: assemble(element, { SCALE: scale }, `maps/${method}`, SHADERS),
    ...ENLARGE,
  };
}
