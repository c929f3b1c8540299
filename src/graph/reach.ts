import type { Graph, NodeId } from './graph.ts';
import { opRules } from './ops.ts';

/** How far an output pixel looks. */
export interface ReceptiveField {
  /**
   * LR pixels needed on each side of the LR pixel that an output pixel belongs to; a tile with this
   * much overlap has an exact interior as far as local ops go.
   */
  readonly radius: number;
  /** True if the graph holds a global pooling: then every pixel also depends on the whole image. */
  readonly global: boolean;
}

/**
 * Walks from the output to the input. At each node the need is a radius in pixels of that node
 * around the block of pixels that one LR pixel becomes, so that enlargements round up exactly.
 * (Behind a pixel unshuffle by u, around what a cell of u x u LR pixels becomes; tiles begin and end
 * between such cells.)
 * Vectors carry no radius: what reaches the output through them is `global`.
 */
export function receptiveField(graph: Graph): ReceptiveField {
  const need = new Map<NodeId, number>([[graph.output, 0]]);
  let global = false;
  let radius = 0;
  for (let id = graph.output; id >= 0; id--) {
    const node = graph.nodes[id];
    const r = need.get(id);
    if (r === undefined) continue;
    const rules = opRules(node);
    if (rules.global(node) !== null) global = true;
    if (node.op === 'input') radius = Math.max(radius, r);
    for (const input of node.inputs) {
      need.set(input, Math.max(need.get(input) ?? 0, rules.reach(node, r)));
    }
  }
  return { radius, global };
}

/** Beyond this radius, tiles would spend most of their work on what they throw away. */
const MAX_EXACT_RADIUS = 72;
/** What such networks get instead: documented with its measured error in BENCHMARKS.md. */
const APPROXIMATE_OVERLAP = 32;

/** LR pixels that a tile reads beyond its core, and whether that is less than the network's reach. */
export function tileOverlap(graph: Graph): { overlap: number; approximate: boolean } {
  const { radius } = receptiveField(graph);
  return radius <= MAX_EXACT_RADIUS
    ? { overlap: radius, approximate: false }
    : { overlap: APPROXIMATE_OVERLAP, approximate: true };
}
