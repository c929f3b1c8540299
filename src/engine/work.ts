import type { Size } from '../geometry.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import type { Network } from '../networks/network.ts';

/** Multiply-adds of networks for LR images, each of its own size: about the units of `Pace`. */
export const multiplyAddsOf = (runs: readonly (Size & { readonly network: Network })[]): number =>
  runs.reduce(
    (sum, { network, width, height }) => sum + multiplyAddsPerPixel(network.graph) * width * height,
    0,
  );
