import type { Graph, NodeId } from './graph.ts';
import { looksFar } from './ops.ts';
import { mapOf } from './shape.ts';

/**
 * Where a graph's trunk ends: the first map of LR size behind all non-local attention that
 * everything later goes through, the input aside. What lies behind it looks no farther than
 * convolutions do. Null without such attention or without such a node.
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

/** The graph behind a node, which becomes an input beside the graph's own. */
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
