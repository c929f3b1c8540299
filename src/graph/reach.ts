import type { Graph, NodeId } from './graph.ts';
import { opRules } from './ops.ts';

/** The part of the input on which an output pixel depends. */
export interface ReceptiveField {
  /**
   * The number of LR pixels needed on each side of the LR pixel that contains an output pixel. If
   * tiles overlap by this many pixels, local ops compute the same values in tiles as in the whole
   * image.
   */
  readonly radius: number;
  /** Whether the graph has a global op. If so, every output pixel depends on the whole image. */
  readonly global: boolean;
}

/**
 * Walks from the output to the input. In each node's map, one LR pixel corresponds to a block of
 * one or more pixels. For each node, `need` contains the number of pixels on each side of this
 * block that affect the output. The input of a pixel shuffle or a nearest-neighbour enlargement is
 * smaller than its output, so this number is divided by the factor and rounded up. This is exact,
 * because the edges of the block are also edges of pixels in the smaller map. After a pixel
 * unshuffle by `u`, one pixel stands for a cell of `u` x `u` LR pixels, and tiles consist of whole
 * cells. An op that averages over the whole image does not increase the radius. Instead, `global`
 * is set to true.
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

/**
 * The largest radius that is used as the overlap of tiles. With a larger overlap, a tile would
 * discard most of the pixels that it computes.
 */
const MAX_EXACT_RADIUS = 72;
/**
 * The overlap for networks whose radius is larger than `MAX_EXACT_RADIUS`. BENCHMARKS.md lists the
 * errors that different overlaps cause.
 */
const APPROXIMATE_OVERLAP = 32;

/**
 * Returns the number of LR pixels that a tile reads on each side of its core, which is the part of
 * the tile that is kept. Also returns whether this number is less than the radius of the network's
 * receptive field.
 */
export function tileOverlap(graph: Graph): { overlap: number; approximate: boolean } {
  const { radius } = receptiveField(graph);
  return radius <= MAX_EXACT_RADIUS
    ? { overlap: radius, approximate: false }
    : { overlap: APPROXIMATE_OVERLAP, approximate: true };
}
