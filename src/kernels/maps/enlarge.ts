import bilinearSource from '../../shaders/maps/bilinear.wgsl?raw';
import nearestSource from '../../shaders/maps/nearest.wgsl?raw';
import { assemble, contract, type ElementType, MAP_WORDS } from '../kernel.ts';

const SHADERS = {
  'maps/bilinear': bilinearSource,
  'maps/nearest': nearestSource,
};

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
    ...contract(['x'], ['y'], MAP_WORDS),
  };
}
