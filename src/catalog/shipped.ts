import { a2n } from '../networks/a2n.ts';
import type { Network } from '../networks/network.ts';
import type { PanConfig } from '../networks/pan.ts';
import type { ModelFile } from './files.ts';

/**
 * The network of a shipped model. Apart from the registry of all families, so that a page that uses
 * no other weights does not load what it takes to recognise them.
 */
export const shippedNetwork = async ({ network, ...sizes }: ModelFile): Promise<Network> =>
  network === 'pan'
    ? (await import('../networks/pan.ts')).pan(sizes as PanConfig)
    : a2n({ variant: network, ...sizes });
