import { availableParallelism, loadavg } from 'node:os';

/** Scales a time limit that is sufficient on an idle machine to the current load. */
export const patience = (time: number): number =>
  time * Math.max(1, (2 * loadavg()[0]) / availableParallelism());
