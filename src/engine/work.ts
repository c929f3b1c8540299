import type { Size } from '../geometry.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import type { Network } from '../networks/network.ts';

/**
 * Sums the multiply-adds of networks, each on an LR image with its own size, roughly in the units
 * of `Pace`.
 */
export const multiplyAddsOf = (runs: readonly (Size & { readonly network: Network })[]): number =>
  runs.reduce(
    (sum, { network, width, height }) => sum + multiplyAddsPerPixel(network.graph) * width * height,
    0,
  );
