import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { constant } from './mean.ts';

/**
 * Repeats the channel of a one-channel map, as PyTorch's broadcasting does. `channels` is the
 * number of channels in the result. Other maps are returned unchanged.
 */
export function broadcast(b: GraphBuilder, name: string, x: NodeId, channels: number): NodeId {
  if (b.map(x).channels !== 1 || channels === 1) return x;
  return b.concat(name, constant(channels, x));
}
