import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { TransformerBuilder } from '../../graph/transformer.ts';

/**
 * Appends `x * sigmoid(expand(relu(squeeze(mean))))`, with one factor per channel. `name` is the
 * name of the result's node. The names of the other nodes start with `prefix`.
 */
export function weighChannels(
  b: GraphBuilder,
  name: string,
  x: NodeId,
  mean: NodeId,
  spec: Readonly<Record<'prefix' | 'squeeze' | 'expand', string>> & { readonly hidden: number },
): NodeId {
  const { prefix, squeeze, expand, hidden } = spec;
  const linear = (node: string, from: NodeId, layer: string, lengthOut: number) =>
    b.linear(`${prefix}${node}`, from, { layer, lengthOut, bias: true, conv: true });
  const squeezed = linear('squeeze', mean, squeeze, hidden);
  const active = b.relu(`${prefix}relu`, squeezed);
  const expanded = linear('expand', active, expand, b.map(x).channels);
  const weights = b.sigmoid(`${prefix}weights`, expanded);
  return new TransformerBuilder(b).scaleChannels(name, x, weights);
}
