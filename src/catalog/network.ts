import { a2n } from '../networks/a2n.ts';
import type { Network } from '../networks/network.ts';
import { pan } from '../networks/pan.ts';
import type { ModelFile } from './files.ts';

/**
 * The network of a shipped model. It does not use the registry: only added weight files need the
 * other families.
 */
export const shippedNetwork = ({ network, ...sizes }: ModelFile): Network =>
  network === 'pan' ? pan(sizes) : a2n({ ...sizes, variant: network });
