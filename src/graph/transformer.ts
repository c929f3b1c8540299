/** Appends the ops of lightweight transformers (`transformerOp.ts`) to a graph. */
import type { GraphBuilder, NodeId } from './graph.ts';
import type { Grouping } from './transformerOp.ts';

export class TransformerBuilder {
  readonly #b: GraphBuilder;

  constructor(b: GraphBuilder) {
    this.#b = b;
  }

  slice(name: string, x: NodeId, first: number, count: number): NodeId {
    return this.#b.append(name, { op: 'slice', first, count }, [x]);
  }

  depthwise(
    name: string,
    x: NodeId,
    { layer, kernel, bias }: { layer: string; kernel: 3 | 5 | 7; bias: boolean },
  ): NodeId {
    const { channels } = this.#b.map(x);
    const weight = this.#b.weight(`${layer}.weight`, [channels, 1, kernel, kernel]);
    const biases = bias ? this.#b.weight(`${layer}.bias`, [channels]) : null;
    return this.#b.append(name, { op: 'depthwise', kernel, weight, bias: biases }, [x]);
  }

  layerNorm(name: string, x: NodeId, layer: string, epsilon: number): NodeId {
    const { channels } = this.#b.map(x);
    const [weight, bias] = ['weight', 'bias'].map((part) =>
      this.#b.weight(`${layer}.${part}`, [channels]),
    );
    return this.#b.append(name, { op: 'layerNorm', epsilon, weight, bias }, [x]);
  }

  scaleChannels(name: string, x: NodeId, factors: NodeId): NodeId {
    return this.#b.append(name, { op: 'scaleChannels' }, [x, factors]);
  }

  /**
   * `x` contains queries, keys and possibly more channels. `table` is the name of the position
   * table.
   */
  groupScores(
    name: string,
    x: NodeId,
    spec: { grouping: Grouping; heads: number; channels: number; table: string | null },
  ): NodeId {
    const { grouping, heads, table } = spec;
    if (table !== null) this.#b.weight(table, [(2 * grouping.side - 1) ** 2, heads]);
    return this.#b.append(name, { op: 'groupScores', ...spec }, [x]);
  }

  groupMix(
    name: string,
    inputs: readonly [values: NodeId, scores: NodeId],
    spec: { grouping: Grouping; heads: number; first: number; channels: number },
  ): NodeId {
    return this.#b.append(name, { op: 'groupMix', ...spec }, inputs);
  }

  channelAttention(
    name: string,
    x: NodeId,
    spec: { grouping: Grouping; heads: number; temperature: string },
  ): NodeId {
    this.#b.weight(spec.temperature, [spec.heads, 1, 1]);
    return this.#b.append(name, { op: 'channelAttention', ...spec }, [x]);
  }

  stridedConv(
    name: string,
    x: NodeId,
    {
      layer,
      kernel,
      stride,
      cOut,
    }: Record<'kernel' | 'stride' | 'cOut', number> & { layer: string },
  ): NodeId {
    const { channels } = this.#b.map(x);
    const weight = this.#b.weight(`${layer}.weight`, [cOut, channels, kernel, kernel]);
    const bias = this.#b.weight(`${layer}.bias`, [cOut]);
    return this.#b.append(name, { op: 'stridedConv', kernel, stride, cOut, weight, bias }, [x]);
  }

  maxPool(name: string, x: NodeId, kernel: number, stride: number): NodeId {
    return this.#b.append(name, { op: 'maxPool', kernel, stride }, [x]);
  }

  /** `x`, enlarged to the size of `like`. */
  resize(name: string, x: NodeId, like: NodeId): NodeId {
    const strides = this.#b.map(x).reduced ?? [];
    const factor = strides.reduce((product, { stride }) => product * stride, 1);
    return this.#b.append(name, { op: 'resize', factor }, [x, like]);
  }
}
