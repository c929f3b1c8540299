import { a2n } from '../networks/a2n.ts';
import type { Detection } from '../networks/detect.ts';
import type { Network } from '../networks/network.ts';
import { pan } from '../networks/pan.ts';
import type { ModelFile } from './files.ts';

/**
 * Returns a shipped model's network. The weight file is not needed for this. This module imports
 * the code for A2N and PAN, which most shipped models use. If the model uses another network, this
 * function imports the code for all network families.
 */
export async function shippedNetwork({ network, ...sizes }: ModelFile): Promise<Network> {
  if (network === 'pan') return pan(sizes);
  if (network === 'a2n' || network === 'a2nm') return a2n({ ...sizes, variant: network });
  const { createNetwork } = await import('../networks/registry.ts');
  return createNetwork(network, sizes);
}

/**
 * Returns a shipped model's network and weights. The weights are named after the network's layers.
 * The network uses any constants that the file contains, such as the mean colour of the training
 * images.
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
 * Returns whether the tensors in the model's file are already named after the network's layers. If
 * they are, no tensor has to be renamed or combined with another.
 */
const isSelfNamed = ({ network }: ModelFile): boolean =>
  network === 'pan' || network === 'a2n' || network === 'a2nm';
