import { a2n } from './a2n.ts';
import type { ModelFile } from './files.ts';
import type { Network } from './network.ts';

/**
 * The network of a shipped model. Apart from the registry of all families, so that a page that uses
 * no other weights does not load what it takes to recognise them.
 */
export const shippedNetwork = ({ network, ...sizes }: ModelFile): Network =>
  a2n({ variant: network, ...sizes });
