import type { Graph, NodeId } from './graph.ts';
import type { Padding } from './ops.ts';

/**
 * Returns how the LR image is padded before it becomes the input. If the input op does not specify
 * padding, the image is padded by reflection to multiples of the unshuffle factor.
 */
export function paddingOf(graph: Graph): Padding {
  const input = graph.nodes.find((node) => node.op === 'input');
  if (input?.padding) return input.padding;
  const scales = graph.nodes.flatMap(({ shape }) => (shape.kind === 'map' ? [shape.scale] : []));
  const multiple = 1 / Math.min(1, ...scales);
  return { multiple, least: multiple };
}

/** Returns the length of an LR image's side after padding. */
export const paddedSide = ({ multiple, least, border = 0 }: Padding, side: number): number =>
  Math.max(least, Math.ceil((side + 2 * border) / multiple) * multiple);

/** Returns the number that the padded LR image's width and height must be multiples of. */
export const sizeMultiple = (graph: Graph): number => paddingOf(graph).multiple;

/** Returns the total number of multiply-adds per LR pixel. */
export const multiplyAddsPerPixel = (graph: Graph): number =>
  graph.nodes.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0);

/** Returns the total number of elements in all weights. */
export const parameterCount = (graph: Graph): number =>
  graph.weights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

/**
 * Returns, for each node, the nodes that read it, in order. The graph's output does not count as a
 * reader.
 */
export function consumers(graph: Graph): ReadonlyMap<NodeId, readonly NodeId[]> {
  const readers = new Map<NodeId, NodeId[]>(graph.nodes.map((_, id) => [id, []]));
  graph.nodes.forEach((node, id) => {
    for (const input of new Set(node.inputs)) readers.get(input)?.push(id);
  });
  return readers;
}
