/**
 * Support for comparing Real-CUGAN with its golden files. The weights are generated in the layout
 * of the authors' checkpoints. The authors' convolutions have no padding, so the feature maps in
 * the golden files are smaller than Crispen's.
 */
import type { WeightSpec } from '../graph/graph.ts';
import type { Network } from '../networks/network.ts';

/**
 * Returns the names and shapes that the graph's weights have in a checkpoint, before `arrangeCugan`
 * rewrites them.
 */
export const cuganCheckpoint = ({ graph, scale }: Network): WeightSpec[] => {
  const [factor, side] = scale === 3 ? [3, 5] : [2, 4];
  return graph.weights.map(({ name, shape }): WeightSpec => {
    const [rows, columns] = shape;
    const up = /^unet\d\.conv\d_up\./.test(name);
    const part = up ? 4 : name.startsWith('unet1.conv_bottom.') ? factor ** 2 : 1;
    if (name.endsWith('_down.weight')) return { name, shape: [rows, columns / 4, 2, 2] };
    if (part === 1) return { name, shape };
    if (shape.length === 1) return { name, shape: [rows / part] };
    const kernel = up ? 2 : side;
    return { name, shape: [columns, rows / part, kernel, kernel] };
  });
};

/**
 * Returns where each golden feature map starts within Crispen's larger map, by node name. Each
 * value is both the first row and the first column.
 */
export function cuganStarts({ graph }: Network): ReadonlyMap<string, number> {
  const means = graph.nodes.flatMap((node) =>
    node.op === 'globalAveragePool' && node.inset
      ? [[node.name.replace(/\.mean$/, ''), node.inset[0]] as const]
      : [],
  );
  return new Map([['unet1.conv1', 2], ...means]);
}
