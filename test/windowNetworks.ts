/** Seeded weights for networks with window attention. */
import { datCheckpoint } from '../src/cli/golden-dat.ts';
import { recipe2 } from '../src/cli/golden-hash.ts';
import type { Network } from '../src/networks/network.ts';
import { foldDat } from '../src/networks/parts/foldDat.ts';

export const weightsOf = (network: Network) =>
  recipe2(network.graph.weights, 7, [
    ['upsample', 0.5],
    ['conv_last', 0.5],
  ]);

/** Returns seeded weights for a DAT. A checkpoint is created with the same rule and then folded. */
export function datWeights({ graph }: Network, features: number, split: [number, number]) {
  const stored = datCheckpoint(graph.weights, features);
  return foldDat(recipe2(stored, 7, [['upsample', 0.5]]), split);
}
