import type { Graph } from '../graph/graph.ts';

/** A network without its weights. */
export interface Network {
  /** The family: `a2n`, `a2nm`, `pan`, `span`, `esrgan`, `lcoan`, `edsr-acla`, `edsr`, `compact`. */
  readonly architecture: string;
  /** Integer factor from LR to SR. */
  readonly scale: number;
  /** RGB input and output are in the range 0 to this: 255 for A2N's checkpoints, 1 for PAN's. */
  readonly inputRange: number;
  readonly graph: Graph;
}
