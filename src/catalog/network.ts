import { a2n } from '../networks/a2n.ts';
import type { Detection } from '../networks/detect.ts';
import type { Network } from '../networks/network.ts';
import { pan } from '../networks/pan.ts';
import type { ModelFile } from './files.ts';

/**
 * Returns the network of a shipped model. It does not depend on the weights. Most shipped models
 * are A2N or PAN, which do not need the registry. The other families are loaded together with the
 * registry.
 */
export async function shippedNetwork({ network, ...sizes }: ModelFile): Promise<Network> {
  if (network === 'pan') return pan(sizes);
  if (network === 'a2n' || network === 'a2nm') return a2n({ ...sizes, variant: network });
  const { createNetwork } = await import('../networks/registry.ts');
  return createNetwork(network, sizes);
}

/**
 * Returns the network of a shipped model, and the weights under the names of its layers. If the
 * file contains constants of the network, such as the mean of its training images, they are used.
 * @param tensors the content of the model's file
 */
export async function shippedModel(
  entry: ModelFile,
  tensors: Detection['weights'],
): Promise<Pick<Detection, 'network' | 'weights'>> {
  if (isSelfNamed(entry)) return { network: await shippedNetwork(entry), weights: tensors };
  const { detect } = await import('../networks/detect.ts');
  return detect(tensors, { scale: entry.scale, inputRange: entry.inputRange });
}

/**
 * Returns whether the tensors in the file already have the names of the network's layers, so no
 * tensor is renamed or folded.
 */
const isSelfNamed = ({ network }: ModelFile): boolean =>
  network === 'pan' || network === 'a2n' || network === 'a2nm';
