import type { Revert } from './revert.ts';

/** Bugs of the demo, the docs and the element. */
export const pageReverts: readonly Revert[] = [];
