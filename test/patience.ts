import { availableParallelism, loadavg } from 'node:os';

/** A time that suffices on a machine that does nothing else, and more on a busy one. */
export const patience = (time: number): number =>
  time * Math.max(1, (2 * loadavg()[0]) / availableParallelism());
