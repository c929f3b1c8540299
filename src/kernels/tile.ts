import columnsSource from '../shaders/conv/columns.wgsl?raw';
import productSource from '../shaders/conv/product.wgsl?raw';
import activationSource from '../shaders/lib/activation.wgsl?raw';
import crossingSource from '../shaders/lib/crossing.wgsl?raw';
import exchangeSource from '../shaders/lib/exchange.wgsl?raw';
import tileSource from '../shaders/lib/tile.wgsl?raw';
import { ACTIVATION_IDS } from './activation.ts';
import type { Constants } from './kernel.ts';
import type { Sources } from './wgsl.ts';

/** The imports of kernels whose workgroups exchange maps (lib/exchange.wgsl). */
export const TILE_SHADERS: Sources = {
  'conv/columns': columnsSource,
  'conv/product': productSource,
  'lib/activation': activationSource,
  'lib/crossing': crossingSource,
  'lib/exchange': exchangeSource,
  'lib/tile': tileSource,
};

/** The shape of their products (conv/product.wgsl): an invocation has 8 pixels of one block. */
export const TILE: Constants = {
  COLUMNS: 8,
  ROWS: 1,
  BLOCKS: 1,
  PARTS: false,
  QUAD: false,
  SHARED: false,
  ...ACTIVATION_IDS,
};
