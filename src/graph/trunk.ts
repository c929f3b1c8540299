import type { Graph, NodeId } from './graph.ts';
import { looksFar } from './ops.ts';
import { mapOf } from './shape.ts';

/**
 * Returns the map at the end of a graph's trunk. The map is as large as the LR image and comes
 * after all non-local attention. It is the first such map that divides the graph: no later node
 * reads an earlier node, except the input. The later nodes read only nearby pixels and means over a
 * whole map. Returns null if there is no non-local attention or no such map.
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
