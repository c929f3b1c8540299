/**
 * An ASID in which every block computes its own attention maps. It shows how much sharing saves.
 */
import { asid } from '../src/networks/asid.ts';
import type { Network } from '../src/networks/network.ts';
import { fromFloat32, toFloat32 } from '../src/weights/convert.ts';
import type { TensorMap } from '../src/weights/tensor.ts';

/**
 * Returns the network with the same sizes and weights. The file has query and key layers only for
 * the first block, so the other blocks get copies of these layers. The amount of work is the same
 * as for blocks trained with their own maps, but the result differs.
 * @throws Error for networks other than ASID
 */
export function withOwnMaps(
  { architecture, scale, inputRange, graph }: Network,
  weights: TensorMap,
): { readonly network: Network; readonly weights: TensorMap } {
  if (architecture !== 'asid') throw new Error('Only blocks of ASID share attention maps.');
  const [features] = graph.weights.find(({ name }) => name === 'input.weight')?.shape ?? [];
  if (features === undefined) throw new Error('The network has no first layer.');
  const blocks = graph.weights.filter(({ name }) => name.endsWith('.res_end.weight')).length;
  const network = asid({ scale, inputRange, blocks, features, shared: false });
  const floats = (name: string): Float32Array => {
    const tensor = weights.get(name);
    if (!tensor) throw new Error(`The file has no ${name}.`);
    return toFloat32(tensor);
  };
  const own = network.graph.weights.map(({ name, shape }) => {
    const known = weights.get(name);
    if (known) return [name, known] as const;
    const first = floats(name.replace(/^block\d+\.residual_layer/, 'block0.residual_layer.0'));
    const data = Float32Array.from(first);
    // Queries and keys come first and are copied. The values are the block's own.
    if (name.includes('to_qkv'))
      data.set(floats(name.replace('to_qkv', 'to_v')), (data.length / 3) * 2);
    return [name, fromFloat32(data, shape, 'f32')] as const;
  });
  return { network, weights: new Map(own) };
}
