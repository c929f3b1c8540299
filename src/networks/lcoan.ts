import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { type Clustering, NonlocalBuilder } from '../graph/nonlocal.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { countBlocks, type Match, type Outline, shapeOf, shuffleScale } from './match.ts';
import type { Network } from './network.ts';
import { convolutions } from './parts/conv.ts';
import { addMean, DIV2K_MEAN, storedMean } from './parts/mean.ts';
import { shuffleUp } from './parts/shuffleUp.ts';

/** The configuration of an LCoAN. The defaults are those of the released training command. */
export interface LcoanConfig {
  readonly scale: number;
  readonly features?: number;
  /** The number of groups. Each group has residual blocks, followed by attention. */
  readonly groups?: number;
  /** The number of residual blocks in a group. */
  readonly blocks?: number;
  /** The embedding has `features / reduction` channels. */
  readonly reduction?: number;
  readonly clusters?: number;
  /**
   * The number of pixels per window. Pixels are sorted by cluster, and the sorted list is divided
   * into windows.
   */
  readonly window?: number;
  readonly rounds?: number;
  readonly residualScale?: number;
  readonly inputRange?: number;
  /**
   * The mean colour, on a scale of 0 to 1, that is subtracted from the input. The bias of the last
   * layer contains the mean that is added at the end.
   */
  readonly mean?: readonly number[];
  /**
   * Whether the checkpoint contains initialised centroids; default true. If false, the centroids
   * are computed for each image (see `initialMeans`).
   */
  readonly initialised?: boolean;
  /**
   * Whether all groups use the attention of the first group; default true. If false, every group
   * computes its own attention.
   */
  readonly shared?: boolean;
}

/** An attention pattern. If it is shared, the first group computes it, and all groups apply it. */
type Pattern = readonly [order: NodeId, rank: NodeId, attention: NodeId, lse: NodeId];

/**
 * Builds a learnable collaborative attention network.
 *
 * Source: "Learnable Collaborative Attention", arXiv 2404.04922, section 3. Each group has a few
 * residual blocks and attention between similar pixels that can be far apart. Pixels are clustered
 * by their embedding and sorted by cluster. Each pixel attends to its own window of the sorted
 * order and to the two windows next to it. Only the first group computes the attention weights; the
 * other groups reuse them.
 *
 * The layers are named as in the authors' checkpoints, except that `prepareLcoan` renames the last
 * convolution to `tail.folded`. The bias of that layer contains the mean that is added back. The
 * subtracted mean cannot be folded into the first convolution, because the shift happens before the
 * zero padding.
 */
export function lcoan(config: LcoanConfig): Network {
  const { scale, features = 128, groups = 10, blocks = 4, reduction = 1, inputRange = 1 } = config;
  const { clusters = 128, window = 384, rounds = 1, residualScale = 0.1 } = config;
  const { mean = DIV2K_MEAN, initialised = true, shared = true } = config;
  const clustering = { clusters, window, rounds };
  const b = new GraphBuilder();
  const nonlocal = new NonlocalBuilder(b);
  const conv = convolutions(b, features);

  const input = b.input('input', mean.length);
  const head = conv('head', addMean(b, 'sub_mean', input, 1, mean, -inputRange), 'head.0');
  let x = head;
  let pattern: Pattern | null = null;
  for (let g = 0; g < groups; g++) {
    const [name, layer] = [`group${g}`, `body.${g}`];
    const local = `${layer}.local_body`;
    let u = residualBlocks(b, x, name, local, blocks, `${name}.attention_input`);
    if (pattern === null || !shared) {
      const means = `${layer}.attention.0.kmeans.means`;
      const matched = `${layer}.attention.0.conv_match.0`;
      const embedding = conv(`${name}.match_embedding`, u, matched, features / reduction);
      const prefix = g === 0 ? 'shared' : name;
      pattern = findPattern(nonlocal, prefix, embedding, clustering, initialised ? means : null);
    }
    const assembled = `${layer}.attention.0.conv_assembly.0`;
    const value = conv(`${name}.assembly_embedding`, u, assembled, features, 1);
    const attended = nonlocal.attend(`${name}.attended`, [value, ...pattern]);
    u = b.add(`${name}.attention_out`, u, attended, 0.1);
    x = b.add(`${name}.out`, x, conv(`${name}.m_conv`, u, `${layer}.m_conv.0`), residualScale);
  }
  const body = b.add('body_sum', conv('body_conv', x, 'm_conv.0'), head);
  const up = shuffleUp(b, body, scale, 'tail.0');
  const output = conv('output', up, 'tail.folded', mean.length);
  return { architecture: 'lcoan', scale, inputRange, graph: b.build(output) };
}

/**
 * Appends residual blocks, `u + conv(relu(conv(u)))`. `output` is the name of the last block's
 * node.
 */
export function residualBlocks(
  b: GraphBuilder,
  x: NodeId,
  name: string,
  layer: string,
  blocks: number,
  output: string,
): NodeId {
  const conv = convolutions(b, b.map(x).channels);
  let u = x;
  for (let i = 0; i < blocks; i++) {
    const at = `${layer}.${i}.body`;
    const inner = b.relu(`${name}.relu${i}`, conv(`${name}.conv${i}a`, u, `${at}.0`));
    const out = i === blocks - 1 ? output : `${name}.block${i}`;
    u = b.add(out, u, conv(`${name}.conv${i}b`, inner, `${at}.2`));
  }
  return u;
}

/** Computes the clusters, the sorted order and the attention from an embedding. */
function findPattern(
  nonlocal: NonlocalBuilder,
  prefix: string,
  embedding: NodeId,
  clustering: Clustering,
  means: string | null,
): Pattern {
  const from = means ?? initialMeans(nonlocal, prefix, embedding, clustering);
  const similar = nonlocal.similarity(`${prefix}.similarity`, embedding, from, clustering, true);
  const codes = nonlocal.codes(`${prefix}.kmeans_codes`, similar, clustering);
  return sortedAttention(nonlocal, `${prefix}.`, embedding, codes, clustering);
}

/**
 * Sorts the pixels by their codes and appends attention within the windows of the sorted order.
 * `places` adds a value to each score (see `globalAttention`).
 */
export function sortedAttention(
  nonlocal: NonlocalBuilder,
  prefix: string,
  embedding: NodeId,
  codes: NodeId,
  clustering: Clustering,
  places?: NodeId,
): Pattern {
  const rank = nonlocal.rank(`${prefix}undo_order`, codes, clustering);
  const order = nonlocal.inverse(`${prefix}sort_order`, rank, clustering);
  const attention = nonlocal.attention(`${prefix}score`, embedding, order, clustering, 3, places);
  const lse = nonlocal.logSumExp(`${prefix}logsumexp`, attention, clustering);
  return [order, rank, attention, lse];
}

/** The number of k-means rounds for a checkpoint whose centroids were never initialised. */
const INITIAL_ROUNDS = 10;

/**
 * Computes centroids for a checkpoint whose own centroids were never initialised. The released code
 * starts from random pixels. This code starts from evenly spaced pixels, so results are
 * reproducible. Each of ten rounds assigns every embedding, without normalising it, to the centroid
 * with the largest dot product. Each centroid then becomes the normalised sum of the embeddings
 * assigned to it.
 */
function initialMeans(
  nonlocal: NonlocalBuilder,
  prefix: string,
  embedding: NodeId,
  clustering: Clustering,
): NodeId {
  const name = prefix === 'shared' ? 'kmeans_init' : `${prefix}.kmeans_init`;
  let means = nonlocal.startMeans(`${name}.start`, embedding, clustering);
  for (let i = 1; i <= INITIAL_ROUNDS; i++) {
    const step = `${name}.step${i}`;
    const similar = nonlocal.similarity(`${step}.similarity`, embedding, means, clustering, false);
    const codes = nonlocal.codes(`${step}.codes`, similar, clustering);
    const rank = nonlocal.rank(`${step}.rank`, codes, clustering);
    const order = nonlocal.inverse(`${step}.order`, rank, clustering);
    const inputs = [embedding, codes, order, means] as const;
    means = nonlocal.clusterMeans(`${name}.means_after_${i}`, inputs, clustering);
  }
  return means;
}

const MEANS = 'body.0.attention.0.kmeans.means';

/** Recognises an LCoAN by the tensor names in the authors' checkpoints. */
export function matchLcoan(outline: Outline): Match | null {
  const head = shapeOf(outline, 'head.0.weight', 4);
  const means = shapeOf(outline, MEANS, 3);
  const embedding = shapeOf(outline, 'body.0.attention.0.conv_match.0.weight', 4);
  const scale = shuffleScale(outline, 'tail.0.');
  if (!head || !means || !embedding || scale === null || !outline.has('tail.1.weight')) return null;
  const [features, channels] = head;
  const [rounds, clusters, width] = means;
  const config = {
    scale,
    features,
    rounds,
    clusters,
    reduction: features / width,
    groups: countBlocks(outline, 'body.#.local_body.'),
    blocks: countBlocks(outline, 'body.0.local_body.#.'),
  };
  if (channels !== 3) return null;
  return {
    scales: [scale],
    inputRange: 1,
    assumptions: [
      ['windows of 384 pixels', 'window'],
      ['groups added with the factor 0.1', 'residualScale'],
      'pixels of one cluster in row-major order',
    ],
    storedRange: true,
    build: ({ inputRange, window = 384, residualScale = 0.1 }, tensors) =>
      lcoan({
        ...config,
        window,
        residualScale,
        inputRange,
        mean: storedMean(tensors)?.mean ?? DIV2K_MEAN,
        initialised: initialised(tensors),
      }),
    prepare: prepareLcoan,
  };
}

/**
 * Returns whether the checkpoint's centroids were initialised. If the `initted` flag is missing,
 * they are assumed to be initialised.
 */
function initialised(tensors: TensorMap): boolean {
  const flag = tensors.get('body.0.attention.0.kmeans.initted');
  return flag === undefined || toFloat32(flag)[0] !== 0;
}

/**
 * Adds the mean colour of the training images to the bias of the last convolution. The released
 * network adds this mean to its output instead.
 */
export function prepareLcoan(tensors: TensorMap): TensorMap {
  const [weight, bias] = ['tail.1.weight', 'tail.1.bias'].map((name) => tensors.get(name));
  if (!weight || !bias) return tensors;
  const { range, mean } = storedMean(tensors) ?? { range: 1, mean: DIV2K_MEAN };
  const folded = toFloat32(bias).map((v, c) => v + mean[c] * range);
  return new Map([
    ...tensors,
    ['tail.folded.weight', weight],
    ['tail.folded.bias', fromFloat32(folded, [folded.length])],
  ]);
}
