import type { Graph, NodeId } from './graph.ts';
import { looksFar } from './ops.ts';
import { mapOf } from './shape.ts';

/**
 * Returns the node at the end of a graph's trunk. Its map is as large as the LR image and comes
 * after all non-local attention. It is the first such node that divides the graph: the nodes after
 * it read no node before it, except the input. These later nodes need only nearby pixels and the
 * means of whole maps. Returns null if the graph has no non-local attention or no such node.
 */
export function trunkEnd({ nodes, output }: Graph): NodeId | null {
  const last = nodes.findLastIndex(looksFar);
  if (last < 0) return null;
  for (let id = last; id < output; id++) {
    const { shape } = nodes[id];
    const alone = nodes
      .slice(id + 1)
      .every(({ inputs }) => inputs.every((from) => from >= id || nodes[from].op === 'input'));
    if (alone && shape.kind === 'map' && shape.scale === 1) return id;
  }
  return null;
}

/**
 * Returns the part of a graph after the node `cut`. The map of `cut` is a second input of this
 * part.
 */
export function graphBehind({ nodes, output, weights }: Graph, cut: NodeId): Graph {
  const kept = nodes.flatMap(({ op }, id) => (id >= cut || op === 'input' ? [id] : []));
  const idOf = new Map(kept.map((id, i) => [id, i]));
  return {
    nodes: kept.map((id) => {
      const { name, shape, inputs } = nodes[id];
      if (id === cut) {
        const { channels } = mapOf(shape, name);
        return { op: 'input', channels, name, shape, inputs: [], multiplyAdds: 0 };
      }
      return { ...nodes[id], inputs: inputs.map((from) => idOf.get(from) as NodeId) };
    }),
    output: idOf.get(output) as NodeId,
    weights,
  };
}
