import { CrispenError, nonFinite } from '../../errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { toFloat32 } from '../../weights/convert.ts';
import type { Tensor, TensorMap } from '../../weights/tensor.ts';

/**
 * Provides a network's weights by name as f32, in the shapes that the graph specifies. Weights are
 * converted on request and not kept, so a checkpoint of hundreds of megabytes is never in memory
 * twice.
 */
export interface NetworkWeights {
  get(name: string): Float32Array | undefined;
}

/**
 * Checks that all weights are finite. This is necessary for weights that only select values, such
 * as cluster centroids. If one of them is not finite, the network's output can still be finite.
 * @throws CrispenError `NON_FINITE`
 */
export function finite<T extends Float32Array>(weights: T): T {
  if (!weights.every(Number.isFinite)) throw nonFinite();
  return weights;
}

/**
 * Selects a network's weights from a weight file. Tensors that the network does not name are
 * ignored, because released checkpoints contain unused tensors.
 * @throws CrispenError `MODEL_UNSUPPORTED` if weights are missing or have the wrong shape.
 */
export function bindWeights(graph: Graph, tensors: TensorMap): NetworkWeights {
  const problems: string[] = [];
  const bound = new Map<string, Tensor>();
  for (const { name, shape } of graph.weights) {
    const tensor = tensors.get(name);
    if (!tensor) problems.push(`${name} is missing`);
    else if (tensor.shape.join() !== shape.join()) {
      problems.push(`${name} is [${tensor.shape}], expected [${shape}]`);
    } else bound.set(name, tensor);
  }
  if (problems.length > 0) {
    const shown = problems.slice(0, 3).join('; ');
    const more = problems.length > 3 ? `; and ${problems.length - 3} more` : '';
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `The weights do not fit the network: ${shown}${more}.`,
      {
        hint: 'Check that the file belongs to this network, at this scale and size.',
      },
    );
  }
  return {
    get(name) {
      const tensor = bound.get(name);
      return tensor && toFloat32(tensor);
    },
  };
}
