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
  /** The expected tensors, by name. Most of the names are names of nodes in the graph. */
  readonly expected: TensorMap;
  /**
   * The position of each golden map that covers only a part of Crispen's map, by node name. Each
   * value is both the first row and the first column of that part.
   */
  readonly starts?: ReadonlyMap<string, number> | undefined;
  /** If set, the network runs on these overlapping tiles, and the results are averaged. */
  readonly tiles?: AveragedTiles;
}
