import type { GraphBuilder, NodeId } from '../../graph/graph.ts';

/**
 * Returns a function that appends convolutions with biases. By default, they are 3x3 convolutions
 * with `features` output channels.
 */
export const convolutions =
  (b: GraphBuilder, features: number) =>
  (name: string, x: NodeId, layer: string, cOut = features, kernel: 1 | 3 = 3): NodeId =>
    b.conv(name, x, { layer, kernel, cOut, bias: true });

/** Appends a linear layer with a bias. The layer is applied to each pixel. */
export const linear = (
  b: GraphBuilder,
  name: string,
  x: NodeId,
  layer: string,
  cOut: number,
): NodeId => b.conv(name, x, { layer, kernel: 1, cOut, bias: true, linear: true });
