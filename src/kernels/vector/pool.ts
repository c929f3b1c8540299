import poolPartialSource from '../../shaders/vector/poolPartial.wgsl?raw';
import { assemble, blocksOf, contract, type ElementType, type Grid, rowsGrid } from '../kernel.ts';

/**
 * The number of pixels that each workgroup adds up in the first stage of global average pooling.
 */
export const POOL_CHUNK = 4096;

export const poolChunks = (pixels: number): number => Math.ceil(pixels / POOL_CHUNK);

/** Returns the size in bytes of a map's partial sums. */
export const poolPartialBytes = (channels: number, pixels: number): number =>
  poolChunks(pixels) * blocksOf(channels) * 16;

/**
 * The bindings are `x` and `partials`. The uniform's fields are `pixels`, `chunks` and `group_row`.
 * If `squares` is true, the values are squared before they are added up.
 */
export function poolPartialKernel(channels: number, element: ElementType = 'f32', squares = false) {
  return {
    label: 'pool partial',
    code: assemble(
      element,
      { BLOCKS: blocksOf(channels), CHUNK: POOL_CHUNK, SQUARES: squares },
      'vector/poolPartial',
      { 'vector/poolPartial': poolPartialSource },
    ),
    ...contract(['x'], ['partials'], { pixels: 'u32', chunks: 'u32', group_row: 'u32' }),
  };
}

export const poolPartialGrid = (channels: number, pixels: number): Grid =>
  rowsGrid(poolChunks(pixels), blocksOf(channels));
