/**
 * `datCheckpoint` returns the names and shapes that DAT's weights have in a checkpoint, before
 * `foldDat` converts them.
 */
import type { WeightSpec } from '../graph/graph.ts';

const NORMED = /^(.*\.attn\.)(dwconv\.0|channel_interaction\.1|spatial_interaction\.0)\.bias$/;
const GATE = /\.spatial_interaction\.3\.(weight|bias)$/;
const TABLE = /^(.*\.attns\.[01])\.table$/;

export const datCheckpoint = (weights: readonly WeightSpec[], features: number): WeightSpec[] =>
  weights.flatMap(({ name, shape }): WeightSpec[] => {
    const table = TABLE.exec(name)?.[1];
    if (table !== undefined) return positionLayers(`${table}.pos`, features, shape[1]);
    if (GATE.test(name)) return [{ name, shape: [1, ...shape.slice(1)] }];
    const normed = NORMED.exec(name);
    if (!normed) return [{ name, shape }];
    const [, prefix, layer] = normed;
    const [part, index] = layer.split('.');
    const norm = `${prefix}${part}.${Number(index) + 1}`;
    const parts = ['weight', 'bias', 'running_mean', 'running_var'];
    return [{ name, shape }, ...parts.map((one) => ({ name: `${norm}.${one}`, shape }))];
  });

function positionLayers(prefix: string, features: number, heads: number): WeightSpec[] {
  const width = Math.floor(Math.floor(features / 8) / 4);
  const layer = (name: string, shape: readonly number[]) => [
    { name: `${prefix}.${name}.weight`, shape },
    { name: `${prefix}.${name}.bias`, shape: [shape[0]] },
  ];
  return [
    ...layer('pos_proj', [width, 2]),
    ...['pos1', 'pos2', 'pos3'].flatMap((stage) => [
      ...layer(`${stage}.0`, [width]),
      ...layer(`${stage}.2`, [stage === 'pos3' ? heads : width, width]),
    ]),
  ];
}
