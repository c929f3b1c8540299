import { a2n } from '../networks/a2n.ts';
import type { Network } from '../networks/network.ts';
import { pan } from '../networks/pan.ts';
import type { ModelFile } from './files.ts';

/**
 * The network of a shipped model. It goes without the registry: the other families come with weight
 * files that somebody adds.
 */
export const shippedNetwork = ({ network, ...sizes }: ModelFile): Network =>
  network === 'pan' ? pan(sizes) : a2n({ ...sizes, variant: network });
