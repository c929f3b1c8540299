import { a2n } from '../networks/a2n.ts';
import type { Detection } from '../networks/detect.ts';
import type { Network } from '../networks/network.ts';
import { pan } from '../networks/pan.ts';
import type { ModelFile } from './files.ts';

/**
 * The network of a shipped model, known before its weights. Most are A2N or PAN, which need no
 * registry; the other families are loaded with it.
 */
export async function shippedNetwork({ network, ...sizes }: ModelFile): Promise<Network> {
  if (network === 'pan') return pan(sizes);
  if (network === 'a2n' || network === 'a2nm') return a2n({ ...sizes, variant: network });
  const { createNetwork } = await import('../networks/registry.ts');
  return createNetwork(network, sizes);
}

/**
 * The network of a shipped model and the weights by the names of its layers. Constants of the
 * network that the file contains, such as the mean of its training images, come from the file.
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

/** Whether the tensors of the file have the names of the network's layers and nothing is folded. */
const isSelfNamed = ({ network }: ModelFile): boolean =>
  network === 'pan' || network === 'a2n' || network === 'a2nm';
