import type { Graph } from './graph.ts';
import { windowOf } from './transformerOp.ts';

/** Tiles begin at multiples of this, so that none begins inside a window; 1 without windows. */
export function windowStep({ nodes }: Graph): number {
  return nodes.reduce((step, node) => {
    if (node.op !== 'groupMix' && node.op !== 'channelAttention') return step;
    const { grouping } = node;
    if (grouping.kind !== 'windows') return step;
    const { rows, columns } = windowOf(grouping);
    return [rows, columns, grouping.multiple ?? 1].reduce(commonMultiple, step);
  }, 1);
}

export function commonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
