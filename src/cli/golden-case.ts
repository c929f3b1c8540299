import type { AveragedTiles } from '../engine/tile/average.ts';
import type { Network } from '../networks/network.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';

/** A test case from a golden file, and the network that it tests. */
export interface GoldenCase {
  readonly name: string;
  readonly network: Network;
  readonly weights: TensorMap;
  /** The input, [1, channels, H, W], in the network's input range. */
  readonly input: Tensor;
  /** The expected tensors, by the names of the graph's nodes. */
  readonly expected: TensorMap;
  /**
   * For each node whose golden map is only a part of Crispen's map: the index of both the row and
   * the column at which this part begins.
   */
  readonly starts?: ReadonlyMap<string, number> | undefined;
  /** If set, the output is averaged over overlapping tiles. */
  readonly tiles?: AveragedTiles;
}
