import type { Graph, NodeId } from './graph.ts';
import { opRules } from './ops.ts';

/** The part of the input on which an output pixel depends. */
export interface ReceptiveField {
  /**
   * The number of LR pixels needed on each side of the LR pixel that contains an output pixel. With
   * this much overlap, tiles are exact for local ops.
   */
  readonly radius: number;
  /** Whether the graph has a global op. If so, every output pixel depends on the whole image. */
  readonly global: boolean;
}

/**
 * Walks from the output to the input. In each node's map, a block of pixels corresponds to one LR
 * pixel. `need` contains each node's radius: how many pixels are needed on each side of this block.
 * At a pixel shuffle or a nearest-neighbour enlargement, the radius is divided by the factor and
 * rounded up. This is exact, because the radius starts at the block's edge. After a pixel unshuffle
 * by `u`, the block corresponds to a cell of `u` x `u` LR pixels. Tiles begin and end between such
 * cells. Means over the whole image do not add to the radius. Instead, `global` reports that the
 * output depends on the whole image.
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

/** With a larger radius, most of the computed pixels of a tile would be discarded. */
const MAX_EXACT_RADIUS = 72;
/**
 * The overlap for networks whose radius is larger than `MAX_EXACT_RADIUS`. BENCHMARKS.md lists the
 * measured error.
 */
const APPROXIMATE_OVERLAP = 32;

/**
 * Returns the number of LR pixels that a tile reads beyond its core. Also returns whether this
 * number is less than the network's reach.
 */
export function tileOverlap(graph: Graph): { overlap: number; approximate: boolean } {
  const { radius } = receptiveField(graph);
  return radius <= MAX_EXACT_RADIUS
    ? { overlap: radius, approximate: false }
    : { overlap: APPROXIMATE_OVERLAP, approximate: true };
}
