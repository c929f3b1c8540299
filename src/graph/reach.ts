import type { Graph, GraphNode, NodeId } from './graph.ts';

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
    if (node.op === 'globalAveragePool' || (node.op === 'nonlocal' && node.global)) global = true;
    if (node.op === 'input') radius = Math.max(radius, r);
    for (const input of node.inputs) {
      need.set(input, Math.max(need.get(input) ?? 0, inputRadius(node, r)));
    }
  }
  return { radius, global };
}

/** Beyond this radius, tiles would spend most of their work on what they throw away. */
const MAX_EXACT_RADIUS = 72;
/** What such networks get instead: documented with its measured error in ARCHITECTURE.md. */
const APPROXIMATE_OVERLAP = 32;

/** LR pixels that a tile reads beyond its core, and whether that is less than the network's reach. */
export function tileOverlap(graph: Graph): { overlap: number; approximate: boolean } {
  const { radius } = receptiveField(graph);
  return radius <= MAX_EXACT_RADIUS
    ? { overlap: radius, approximate: false }
    : { overlap: APPROXIMATE_OVERLAP, approximate: true };
}

/** Radius that a node needs of its inputs to give radius `r` of itself. */
function inputRadius(node: GraphNode, r: number): number {
  switch (node.op) {
    case 'conv':
      return r + (node.kernel >> 1);
    case 'nearest':
    case 'pixelShuffle':
      return Math.ceil(r / node.scale);
    case 'pixelUnshuffle':
      return r * node.scale;
    case 'bilinear': {
      // Outputs -r .. scale - 1 + r read inputs floor((o + 0.5) / scale - 0.5) and the next one.
      const source = (o: number) => Math.floor((o + 0.5) / node.scale - 0.5);
      return Math.max(-source(-r), source(node.scale - 1 + r) + 1);
    }
    case 'globalAveragePool':
      return 0;
    case 'nonlocal':
      return r + node.reach;
    default:
      return r;
  }
}
