/** Appends the ops of RealPLKSR and related networks (see `plksrOp.ts`) to a graph. */
import type { GraphBuilder, NodeId } from './graph.ts';
import { addOps } from './ops.ts';
import { PLKSR } from './plksrOp.ts';

export class PlksrBuilder {
  readonly #b: GraphBuilder;

  constructor(b: GraphBuilder) {
    this.#b = b;
    addOps(PLKSR);
  }

  partialConv(
    name: string,
    x: NodeId,
    { layer, kernel, count }: { layer: string; kernel: number; count: number },
  ): NodeId {
    const weights = this.#b.layer(layer, [count, count, kernel, kernel], true);
    return this.#b.append(name, { op: 'partialConv', kernel, count, ...weights }, [x]);
  }

  /**
   * Appends a group norm. Each group's mean and variance are computed over all pixels of all of its
   * channels.
   */
  groupNorm(name: string, x: NodeId, layer: string, groups: number, epsilon: number): NodeId {
    const b = this.#b;
    const weights = b.layer(layer, [b.map(x).channels], true);
    const mean = b.globalAveragePool(`${name}.pooled`, x);
    const centred = b.append(`${name}.centred`, { op: 'centre', groups }, [x, mean]);
    const squares = b.append(`${name}.squares`, { op: 'meanOfSquares' }, [centred]);
    return b.append(name, { op: 'groupNorm', groups, epsilon, ...weights }, [centred, squares]);
  }

  repeatChannels(name: string, x: NodeId, times: number): NodeId {
    return this.#b.append(name, { op: 'repeatChannels', times }, [x]);
  }

  dySample(
    name: string,
    inputs: readonly [z: NodeId, offsets: NodeId],
    spec: { scale: number; groups: number; sum: number | null },
  ): NodeId {
    return this.#b.append(name, { op: 'dySample', ...spec }, inputs);
  }
}
