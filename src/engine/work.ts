import type { Size } from '../geometry.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import type { Network } from '../networks/network.ts';

/**
 * Returns the total number of multiply-adds of several network runs, each on an LR image of its own
 * size. The result can be passed to `Pace.expect`, whose unit of work is roughly one multiply-add.
 */
export const multiplyAddsOf = (runs: readonly (Size & { readonly network: Network })[]): number =>
  runs.reduce(
    (sum, { network, width, height }) => sum + multiplyAddsPerPixel(network.graph) * width * height,
    0,
  );
