import type { AveragedTiles } from '../engine/tile/average.ts';
import type { Network } from '../networks/network.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';

/** A golden file, or one of several cases in it, and its network. */
export interface GoldenCase {
  readonly name: string;
  readonly network: Network;
  readonly weights: TensorMap;
  /** [1, channels, H, W], in the network's range. */
  readonly input: Tensor;
  /** The expected tensors by the names of the graph's nodes. */
  readonly expected: TensorMap;
  /** The row and column at which the golden map begins in a node's map, which is larger. */
  readonly starts?: ReadonlyMap<string, number> | undefined;
  /** If given, the output is averaged over overlapping tiles. */
  readonly tiles?: AveragedTiles;
}
