import packSource from '../shaders/packRgba8.wgsl?raw';
import unpackSource from '../shaders/unpackRgba8.wgsl?raw';
import { assemble, type ElementType, type Kernel } from './kernel.ts';

/**
 * A rectangle of an 8-bit image as a feature map of 0..range, alpha in the fourth lane.
 * Bindings: image, y. Uniform: width, height, group_row, imageWidth, col0, row0.
 * Grid: `mapGrid(width, height, 1)`.
 */
export function unpackRgba8Kernel(range: number, element: ElementType = 'f32'): Kernel {
  return {
    label: 'unpack rgba8',
    code: assemble(element, { RANGE: { f32: range } }, unpackSource),
    bindings: ['read', 'write'],
  };
}

/**
 * A rectangle of a feature map as an 8-bit image: clamped, rounded half to even.
 * Bindings: x, image, status (u32, becomes 1 if a value is not finite).
 * Uniform: width, height, group_row, mapWidth, col0, row0. Grid: `mapGrid(width, height, 1)`.
 */
export function packRgba8Kernel(range: number, element: ElementType = 'f32'): Kernel {
  return {
    label: 'pack rgba8',
    code: assemble(element, { RANGE: { f32: range } }, packSource),
    bindings: ['read', 'write', 'write'],
  };
}
