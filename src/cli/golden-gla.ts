/**
 * Golden cases for global learnable attention. The authors' code draws random rotations for its
 * hashing in every run, so each golden file also contains the rotations with which its tensors were
 * computed.
 */
import { GraphBuilder } from '../graph/graph.ts';
import { dlsn, globalAttention, prepareDlsn } from '../networks/dlsn.ts';
import type { Network } from '../networks/network.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import type { Tensor } from '../weights/tensor.ts';
import type { GoldenCase } from './golden-case.ts';
import { expectedOf, type GoldenFile } from './golden-file.ts';

/** Matches the names of golden tensors that are not compared, because no node outputs them. */
const NOT_COMPARED = /^(rotations\.|round_weights$|round0\.out$)/;

/** Returns a golden file's cases, or null if the file is not for global learnable attention. */
export function glaCases(file: GoldenFile): GoldenCase[] | null {
  const { name, tensors, number } = file;
  const { model } = file.metadata;
  if (model !== 'dlsn' && model !== 'gla_module') return null;
  const rounds = number('n_hashes');
  const buckets = number('hash_buckets');
  const gla = { reduction: number('reduction'), chunk: number('chunk_size'), rounds, buckets };
  const weights = new Map(file.inside);
  for (const key of new Set(
    [...tensors.keys()].flatMap((tensor) => /^rotations\.(\w+)\.0$/.exec(tensor)?.[1] ?? []),
  )) {
    const rotations = Array.from(
      { length: rounds },
      (_, r) => tensors.get(`rotations.${key}.${r}`) as Tensor,
    );
    weights.set(`rotations.${key}`, transposed(rotations));
  }
  const expected = expectedOf(tensors, NOT_COMPARED);
  const input = tensors.get('input') as Tensor;
  if (model === 'dlsn') {
    const [features, groups] = [number('num_feat'), number('modules')];
    const scale = number('scale');
    const network = dlsn({ ...gla, scale, features, groups, blocks: number('blocks') });
    const prepared = prepareDlsn(weights, groups, rounds, buckets, features / gla.reduction);
    return [{ name, network, weights: prepared, input, expected }];
  }
  const b = new GraphBuilder();
  const x = b.input('input', number('channels'));
  const output = globalAttention(b, x, { name: 'output', prefix: '', layer: '', key: 'gla' }, gla);
  const network: Network = {
    architecture: 'dlsn',
    scale: 1,
    inputRange: 1,
    graph: b.build(output),
  };
  return [{ name, network, weights, input, expected }];
}

/**
 * Combines the rotations of all rounds, each of shape [width, buckets], into one tensor of shape
 * [rounds, buckets, width].
 */
function transposed(rounds: readonly Tensor[]): Tensor {
  const [width, buckets] = rounds[0].shape;
  const data = new Float32Array(rounds.length * buckets * width);
  rounds.forEach((rotation, r) => {
    toFloat32(rotation).forEach((v, i) => {
      const [d, k] = [Math.floor(i / buckets), i % buckets];
      data[(r * buckets + k) * width + d] = v;
    });
  });
  return fromFloat32(data, [rounds.length, buckets, width], 'f32');
}
