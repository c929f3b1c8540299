import type { GraphBuilder, NodeId } from '../../graph/graph.ts';

/**
 * A map of one channel repeated to `channels`, as PyTorch's broadcasting does. Other maps are
 * returned unchanged.
 */
export function broadcast(b: GraphBuilder, name: string, x: NodeId, channels: number): NodeId {
  if (b.map(x).channels !== 1 || channels === 1) return x;
  return b.concat(
    name,
    Array.from({ length: channels }, () => x),
  );
}
