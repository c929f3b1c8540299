import arithmetic from '../shaders/conv/arithmetic.wgsl?raw';
import product from '../shaders/conv/product.wgsl?raw';
import store from '../shaders/conv/store.wgsl?raw';
import strip from '../shaders/conv/strip.wgsl?raw';
import activation from '../shaders/lib/activation.wgsl?raw';
import map from '../shaders/lib/map.wgsl?raw';
import nan from '../shaders/lib/nan.wgsl?raw';
import pixel from '../shaders/lib/pixel.wgsl?raw';
import total from '../shaders/lib/total.wgsl?raw';
import finishMean from '../shaders/vector/finishMean.wgsl?raw';
import type { Sources } from './wgsl.ts';

/** The shaders that kernels in several files import. `assemble` (kernel.ts) finds them here. */
export const LIBRARY: Sources = {
  'conv/arithmetic': arithmetic,
  'conv/product': product,
  'conv/store': store,
  'conv/strip': strip,
  'lib/activation': activation,
  'lib/map': map,
  'lib/nan': nan,
  'lib/pixel': pixel,
  'lib/total': total,
  'vector/finishMean': finishMean,
};
