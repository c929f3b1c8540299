import type { Graph, NodeId } from './graph.ts';

/**
 * Width and height of the LR image must be multiples of this number. 1 without a pixel unshuffle.
 */
export function sizeMultiple(graph: Graph): number {
  const scales = graph.nodes.flatMap(({ shape }) => (shape.kind === 'map' ? [shape.scale] : []));
  return 1 / Math.min(1, ...scales);
}

/** Multiply-adds per LR pixel of all convolutions and attentions. */
export const multiplyAddsPerPixel = (graph: Graph): number =>
  graph.nodes.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);

/** The number of elements of all weights. */
export const parameterCount = (graph: Graph): number =>
  graph.weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

/** The nodes that read each node, in order. The graph's output does not count as a reader. */
export function consumers(graph: Graph): ReadonlyMap<NodeId, readonly NodeId[]> {
  const readers = new Map<NodeId, NodeId[]>(graph.nodes.map((_, id) => [id, []]));
  graph.nodes.forEach((node, id) => {
    for (const input of new Set(node.inputs)) readers.get(input)?.push(id);
  });
  return readers;
}
