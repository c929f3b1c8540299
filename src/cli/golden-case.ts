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
   * For each node whose golden map covers only a part of Crispen's map, the offset of that part in
   * pixels. Rows and columns have the same offset.
   */
  readonly starts?: ReadonlyMap<string, number> | undefined;
  /** If set, the output is averaged over overlapping tiles. */
  readonly tiles?: AveragedTiles;
}
