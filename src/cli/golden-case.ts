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
   * The offsets of golden maps that cover only a part of Crispen's map, by node name. An offset is
   * the row of the part's top-left pixel, which equals its column.
   */
  readonly starts?: ReadonlyMap<string, number> | undefined;
  /** If set, the network runs on these overlapping tiles, and the results are averaged. */
  readonly tiles?: AveragedTiles;
}
