import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import { type Clustering, NonlocalBuilder } from '../graph/nonlocal.ts';
import { fromFloat32 } from '../weights/convert.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';
import { prepareLcoan, residualBlocks, sortedAttention } from './lcoan.ts';
import { countBlocks, indices, type Match, type Outline, shapeOf, shuffleScale } from './match.ts';
import type { Network } from './network.ts';
import { convolutions, linear } from './parts/conv.ts';
import { addMean, DIV2K_MEAN, storedMean } from './parts/mean.ts';
import { shuffleUp } from './parts/shuffleUp.ts';

/** The configuration of a global learnable attention module. */
export interface GlaConfig {
  /**
   * If the input map has `n` channels, its embedding has `n / reduction` channels (see
   * `globalAttention`).
   */
  readonly reduction: number;
  /**
   * The number of pixels per window. Pixels are sorted by bucket, and the sorted list is divided
   * into windows.
   */
  readonly chunk: number;
  readonly rounds?: number;
  /**
   * The maximum number of buckets. For small images, fewer are used (see `bucketsOf` in
   * graph/nonlocalOp.ts).
   */
  readonly buckets?: number;
}

/**
 * The configuration of a DLSN. The defaults come from the training command that the authors
 * released.
 */
export interface DlsnConfig extends Partial<GlaConfig> {
  readonly scale: number;
  readonly features?: number;
  /** The number of modules. Each module has residual blocks and attention. */
  readonly groups?: number;
  /** The number of residual blocks in a module. */
  readonly blocks?: number;
  readonly residualScale?: number;
  readonly inputRange?: number;
  readonly mean?: readonly number[];
}

const ROUNDS = 3;
const BUCKETS = 128;
const CHUNK = 128;

/**
 * Appends global learnable attention. Each pixel is assigned to a bucket by random projections of
 * its embedding, and the pixels are sorted by bucket. Each pixel attends to its own window of the
 * sorted order and to the two windows next to it. The score of a query and a key is their
 * similarity plus a value that depends on the key and on the query's position in its window. For
 * each key, two linear layers compute these values for all positions in a window.
 *
 * `name` is the name of the result's node, and `layer` is the prefix of the layers' names. The
 * weight `rotations.KEY`, [rounds, buckets, embedding], contains the projections of all rounds. The
 * authors' checkpoints do not contain this weight; `prepareDlsn` adds it.
 *
 * Source: "Global Learnable Attention for Single Image Super-Resolution", TPAMI 2022.
 */
export function globalAttention(
  b: GraphBuilder,
  u: NodeId,
  { name, prefix, layer, key }: Readonly<Record<'name' | 'prefix' | 'layer' | 'key', string>>,
  { reduction, chunk, rounds = ROUNDS, buckets = BUCKETS }: GlaConfig,
): NodeId {
  const nonlocal = new NonlocalBuilder(b);
  const { channels } = b.map(u);
  const conv = convolutions(b, channels);
  const mapped = (part: string, cOut?: number) =>
    b.relu(`${prefix}${part}`, conv(`${prefix}${part}.conv`, u, `${layer}${part}.0`, cOut));
  const embedding = mapped('conv_match', channels / reduction);
  const values = mapped('conv_assembly');
  const keys = mapped('conv_assembly_fc');
  const placed = (part: string, x: NodeId) =>
    linear(b, `${prefix}${part}`, x, `${layer}${part}`, chunk);
  const places = placed('fc.2', b.relu(`${prefix}fc.relu`, placed('fc.0', keys)));
  const clustering: Clustering = { rounds, clusters: buckets, window: chunk };
  const rotations = `rotations.${key}`;
  const similar = nonlocal.similarity(`${prefix}hash`, embedding, rotations, clustering, false);
  const codes = nonlocal.codes(`${prefix}hash_codes`, similar, clustering, chunk);
  const pattern = sortedAttention(nonlocal, prefix, embedding, codes, clustering, places);
  return b.add(name, u, nonlocal.attend(`${prefix}attended`, [values, ...pattern]));
}

/** Builds a DLSN: modules of residual blocks, each with global learnable attention. */
export function dlsn(config: DlsnConfig): Network {
  const { scale, features = 256, groups = 10, blocks = 4, residualScale = 0.1 } = config;
  const { reduction = 4, chunk = CHUNK, inputRange = 1, mean = DIV2K_MEAN } = config;
  const b = new GraphBuilder();
  const conv = convolutions(b, features);
  const input = b.input('input', mean.length);
  const head = conv('head', addMean(b, 'sub_mean', input, 1, mean, -inputRange), 'head.0');
  let x = head;
  for (let g = 0; g < groups; g++) {
    const [name, layer] = [`module${g}`, `body.${g}.body`];
    let u = residualBlocks(b, x, name, layer, blocks, `${name}.gla_in`);
    const names = { name: `${name}.gla_out`, prefix: `${name}.`, key: `${g}` };
    const gla = { ...config, reduction, chunk };
    u = globalAttention(b, u, { ...names, layer: `${layer}.${blocks}.` }, gla);
    x = b.add(`${name}.out`, x, conv(`${name}.conv`, u, `${layer}.${blocks + 1}`), residualScale);
  }
  const body = b.add('body_sum', conv('body_conv', x, `body.${groups}`), head);
  const up = shuffleUp(b, body, scale, 'tail.0');
  const output = conv('output', up, 'tail.folded', mean.length);
  return { architecture: 'dlsn', scale, inputRange, graph: b.build(output) };
}

/** Recognises a DLSN by the tensor names in the authors' checkpoints. */
export function matchDlsn(outline: Outline): Match | null {
  const head = shapeOf(outline, 'head.0.weight', 4);
  const [at] = indices(outline, 'body.0.body.#.conv_match.0.weight');
  const scale = shuffleScale(outline, 'tail.0.');
  if (!head || at === undefined || scale === null || !outline.has('tail.1.weight')) return null;
  const [features, channels] = head;
  const match = shapeOf(outline, `body.0.body.${at}.conv_match.0.weight`, 4);
  const last = shapeOf(outline, `body.0.body.${at}.fc.2.weight`, 2);
  if (!match || !last || channels !== 3 || at < 1) return null;
  const config = {
    scale,
    features,
    blocks: at,
    reduction: features / match[0],
    chunk: last[0],
    groups: countBlocks(outline, `body.#.body.${at}.conv_match.0.weight`),
  };
  return {
    scales: [scale],
    inputRange: 1,
    assumptions: [
      'three rounds of hashing, with rotations from a fixed seed',
      ['modules added with the factor 0.1', 'residualScale'],
    ],
    storedRange: true,
    build: ({ inputRange, residualScale = 0.1 }, tensors) =>
      dlsn({
        ...config,
        residualScale,
        inputRange,
        mean: storedMean(tensors)?.mean ?? DIV2K_MEAN,
      }),
    prepare: (tensors) =>
      prepareDlsn(tensors, config.groups, ROUNDS, BUCKETS, features / config.reduction),
  };
}

/**
 * Returns the tensors with two changes. The mean that the released network adds to its output is
 * folded into the bias of the last convolution. If a module has no rotations for its hashing, they
 * are added. The released code draws new rotations in every run, but the rotations added here are
 * always the same.
 */
export function prepareDlsn(
  tensors: TensorMap,
  groups: number,
  rounds: number,
  buckets: number,
  width: number,
): TensorMap {
  const result = new Map<string, Tensor>(prepareLcoan(tensors));
  for (let g = 0; g < groups; g++) {
    const name = `rotations.${g}`;
    if (!result.has(name)) result.set(name, seededRotations(g, rounds, buckets, width));
  }
  return result;
}

/**
 * Creates the random rotations for all rounds of hashing: a tensor [rounds, buckets, width]. A
 * round's rotation consists of `width` unit vectors, each with `buckets` elements. Consecutive
 * vectors form groups of size `buckets`. Within a group, all vectors are mutually orthogonal.
 */
function seededRotations(seed: number, rounds: number, buckets: number, width: number): Tensor {
  const normal = normals(seed + 1);
  const data = new Float32Array(rounds * buckets * width);
  for (let r = 0; r < rounds; r++) {
    const rows: Float64Array[] = [];
    for (let d = 0; d < width; d++) {
      const row = Float64Array.from({ length: buckets }, normal);
      // At most `buckets` vectors can be mutually orthogonal, so each vector is orthogonal only to
      // the others in its group.
      for (const other of rows.slice(d - (d % buckets))) {
        const along = row.reduce((sum, v, i) => sum + v * other[i], 0);
        row.forEach((_, i) => {
          row[i] -= along * other[i];
        });
      }
      const size = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
      rows.push(row.map((v) => v / size));
    }
    rows.forEach((row, d) => {
      row.forEach((v, k) => {
        data[(r * buckets + k) * width + d] = v;
      });
    });
  }
  return fromFloat32(data, [rounds, buckets, width]);
}

/**
 * Returns a function that draws normally distributed numbers (Box-Muller, with a xorshift
 * generator).
 */
function normals(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9) | 1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
