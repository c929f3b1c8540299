import { a2n } from './a2n.ts';
import type { ModelFile } from './files.ts';
import type { Network } from './network.ts';
import type { PanConfig } from './pan.ts';

/**
 * The network of a shipped model. Apart from the registry of all families, so that a page that uses
 * no other weights does not load what it takes to recognise them.
 */
export const shippedNetwork = async ({ network, ...sizes }: ModelFile): Promise<Network> =>
  network === 'pan'
    ? (await import('./pan.ts')).pan(sizes as PanConfig)
    : a2n({ variant: network, ...sizes });
