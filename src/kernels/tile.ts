import crossingSource from '../shaders/lib/crossing.wgsl?raw';
import exchangeSource from '../shaders/lib/exchange.wgsl?raw';
import tileSource from '../shaders/lib/tile.wgsl?raw';
import { ACTIVATION_IDS } from './activation.ts';
import type { Constants } from './kernel.ts';

/**
 * The shaders that kernels import if their invocations exchange values through workgroup memory
 * (lib/exchange.wgsl).
 */
export const TILE_SHADERS = {
  'lib/crossing': crossingSource,
  'lib/exchange': exchangeSource,
  'lib/tile': tileSource,
};

/**
 * The constants that conv/product.wgsl needs in kernels that import `TILE_SHADERS`. Each invocation
 * computes a column of 8 pixels in one block of 4 output channels.
 */
export const TILE: Constants = {
  STRIP: 8,
  LINES: 1,
  DOWN: true,
  BLOCKS: 1,
  PARTS: false,
  QUAD: false,
  STAGED: false,
  SHARED: false,
  HALO: false,
  HALF: false,
  ...ACTIVATION_IDS,
};
