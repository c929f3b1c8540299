import type { Size } from '../geometry.ts';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import type { Network } from '../networks/network.ts';

/**
 * Returns the total number of multiply-adds in several network runs. Each run has its own network
 * and LR image size. The result can be passed to `Pace.expect`, whose unit of work is roughly one
 * multiply-add.
 */
export const multiplyAddsOf = (runs: readonly (Size & { readonly network: Network })[]): number =>
  runs.reduce(
    (sum, { network, width, height }) => sum + multiplyAddsPerPixel(network.graph) * width * height,
    0,
  );
