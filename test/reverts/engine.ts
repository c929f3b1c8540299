import type { Revert } from './revert.ts';

/** Faults of the engine, the codecs and the command line. */
export const engineReverts: readonly Revert[] = [];
