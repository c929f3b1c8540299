/**
 * Finds the nodes from which a network's attention can be read. The search looks at ops rather than
 * node names, so it does not depend on the network's family.
 */
import type { Graph, GraphNode, NodeId } from './graph.ts';
import type { Gate, OffsetLayout } from './nonlocalOp.ts';

/** The nodes with the branch weights and gates of one block. Their values depend on the image. */
export interface BlockPoints {
  readonly name: string;
  /**
   * A vector with two weights: one for the attention branch and one for the non-attention branch.
   */
  readonly branches: NodeId | null;
  /** Pixel attention. `gated` is the map that it multiplies. */
  readonly attention: NodeId | null;
  readonly gated: NodeId | null;
  /** Channel attention, which has one factor per channel. */
  readonly channels: NodeId | null;
}

/**
 * Clustered attention. The pixels are sorted by cluster, and attention works in windows of the
 * sorted pixels.
 */
export interface ClusterPoints {
  readonly name: string;
  readonly codes: NodeId;
  readonly order: NodeId;
  readonly rank: NodeId;
  readonly attention: NodeId;
  readonly lse: NodeId;
  readonly rounds: number;
  readonly clusters: number;
}

/** Attention to keys at learned offsets. */
export interface KeyPoints {
  readonly name: string;
  readonly weights: NodeId;
  readonly offsets: NodeId;
  readonly layout: OffsetLayout;
  /** The logits of the gate. */
  readonly mask: NodeId | null;
  readonly gate: Gate | null;
  readonly references: readonly {
    readonly name: string;
    readonly first: number;
    readonly keys: number;
  }[];
}

export interface AttentionPoints {
  readonly blocks: readonly BlockPoints[];
  readonly clusters: readonly ClusterPoints[];
  readonly keys: readonly KeyPoints[];
}

/**
 * Finds the nodes that hold a network's attention weights and related values. Each list is in the
 * order of computation.
 */
export function attentionPoints(graph: Graph): AttentionPoints {
  const { nodes } = graph;
  return {
    blocks: blockPoints(nodes),
    clusters: nodes.flatMap((node, id) => clusterPoints(nodes, node, id)),
    keys: nodes.flatMap((node, id) => keyPoints(nodes, node, id)),
  };
}

const NOTHING = { branches: null, attention: null, gated: null, channels: null };

/** Returns the block at the start of a node's name: `block3` for `block3.att.gate`. */
const blockOf = (name: string): string => name.split('.', 1)[0];

function blockPoints(nodes: readonly GraphNode[]): BlockPoints[] {
  const blocks: BlockPoints[] = [];
  const add = (name: string, found: Partial<BlockPoints>) => {
    const block = blockOf(name);
    const last = blocks.at(-1);
    const isFree = Object.keys(found).every((key) => last?.[key as keyof BlockPoints] === null);
    if (last?.name === block && isFree) blocks[blocks.length - 1] = { ...last, ...found };
    // If the previous entry already has the name of this block, the new entry is named after its
    // node.
    else blocks.push({ ...NOTHING, name: last?.name === block ? name : block, ...found });
  };
  for (const node of nodes) {
    if (node.op === 'mix') add(node.name, { branches: node.inputs[2] });
    if (node.op === 'scaleChannels') add(node.name, { channels: node.inputs[1] });
    if (node.op !== 'mul') continue;
    const [a, b] = node.inputs;
    if (isGate(nodes[b])) add(node.name, { attention: b, gated: a });
    else if (isGate(nodes[a])) add(node.name, { attention: a, gated: b });
  }
  return blocks;
}

const isGate = (node: GraphNode): boolean =>
  node.op === 'activation' && ['sigmoid', 'centredSigmoid'].includes(node.activation.fn);

function clusterPoints(
  nodes: readonly GraphNode[],
  node: GraphNode,
  attention: NodeId,
): ClusterPoints[] {
  if (node.op !== 'nonlocal' || node.spec.kind !== 'attention') return [];
  // Several layers can share the same attention weights. All of them use the same order of
  // the pixels, so it can be read from any of them.
  const reader = nodes.find(
    (found) =>
      found.op === 'nonlocal' && found.spec.kind === 'attend' && found.inputs[3] === attention,
  );
  if (!reader) return [];
  const [, order, rank, , lse] = reader.inputs;
  const codes = nodes[rank].inputs[0];
  const ranked = nodes[codes];
  if (ranked.op !== 'nonlocal' || ranked.spec.kind !== 'argmax') return [];
  const { rounds, clusters } = ranked.spec;
  return [{ name: blockOf(node.name), codes, order, rank, attention, lse, rounds, clusters }];
}

function keyPoints(nodes: readonly GraphNode[], node: GraphNode, weights: NodeId): KeyPoints[] {
  if (node.op !== 'nonlocal' || node.spec.kind !== 'keySoftmax') return [];
  const samples = nodes.flatMap((found) =>
    found.op === 'nonlocal' && found.spec.kind === 'sampleKeys' && found.inputs[0] === weights
      ? [{ spec: found.spec, inputs: found.inputs }]
      : [],
  );
  if (samples.length === 0) return [];
  const [{ spec, inputs }] = samples;
  const mask = node.inputs[1] ?? null;
  return [
    {
      name: blockOf(node.name),
      weights,
      offsets: inputs[1],
      layout: spec.offsets,
      mask,
      gate: node.spec.gate,
      references: samples.map(({ spec: { first, keys }, inputs: [, , reference] }) => ({
        name: referenceName(nodes, reference),
        first,
        keys,
      })),
    },
  ];
}

/** Returns the name of the map from which a 1x1 convolution computes the keys. */
const referenceName = (nodes: readonly GraphNode[], key: NodeId): string =>
  nodes[nodes[key].inputs[0] ?? key].name;
