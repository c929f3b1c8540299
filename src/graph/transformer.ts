/** Appends the ops of lightweight transformers (see `transformerOp.ts`) to a graph. */
import type { GraphBuilder, NodeId } from './graph.ts';
import { addOps } from './ops.ts';
import { strideOf } from './shape.ts';
import { type Grouping, TRANSFORMER, windowOf } from './transformerOp.ts';

export class TransformerBuilder {
  readonly #b: GraphBuilder;

  constructor(b: GraphBuilder) {
    this.#b = b;
    addOps(TRANSFORMER);
  }

  /** `scale` is a power of two. */
  pixelUnshuffle(name: string, x: NodeId, scale: number): NodeId {
    return this.#b.append(name, { op: 'pixelUnshuffle', scale }, [x]);
  }

  slice(name: string, x: NodeId, first: number, count: number): NodeId {
    return this.#b.append(name, { op: 'slice', first, count }, [x]);
  }

  /** Shifts the map by one pixel along both axes: `y[c, i, j] = x[c, i + by, j + by]`. */
  shift(name: string, x: NodeId, by: 1 | -1): NodeId {
    return this.#b.append(name, { op: 'shift', by }, [x]);
  }

  depthwise(
    name: string,
    x: NodeId,
    { layer, kernel, bias }: { layer: string; kernel: 3 | 5 | 7; bias: boolean },
  ): NodeId {
    const { channels } = this.#b.map(x);
    const weights = this.#b.layer(layer, [channels, 1, kernel, kernel], bias);
    return this.#b.append(name, { op: 'depthwise', kernel, ...weights }, [x]);
  }

  layerNorm(name: string, x: NodeId, layer: string, epsilon: number): NodeId {
    const weights = this.#b.layer(layer, [this.#b.map(x).channels], true);
    return this.#b.append(name, { op: 'layerNorm', epsilon, ...weights }, [x]);
  }

  scaleChannels(name: string, x: NodeId, factors: NodeId): NodeId {
    return this.#b.append(name, { op: 'scaleChannels' }, [x, factors]);
  }

  /**
   * The queries start at channel `query` of the map `x`, and the keys start at channel `key` of the
   * map `keys`. By default, `x` contains both: the queries in its first channels and the keys in
   * the next ones. `table` is the name of the weight that contains the position table. If it is
   * null, there is no position bias.
   */
  groupScores(
    name: string,
    x: NodeId,
    spec: {
      grouping: Grouping;
      heads: number;
      channels: number;
      table: string | null;
      query?: number;
      key?: number;
      merge?: number;
    },
    keys = x,
  ): NodeId {
    const { grouping, heads, channels, table, query = 0, key = channels, merge = 1 } = spec;
    if (table !== null) {
      // The table has one entry for each possible offset between a query and a key. Along an axis
      // on which the window has `side` pixels, the number of offsets is `offsets(side)`.
      const offsets = (side: number) => (2 * side) / merge - 1;
      const { rows, columns } = windowOf(grouping);
      this.#b.weight(table, [offsets(rows) * offsets(columns), heads]);
    }
    const op = { op: 'groupScores', grouping, heads, channels, table, query, key, merge } as const;
    return this.#b.append(name, op, [x, keys]);
  }

  groupMix(
    name: string,
    inputs: readonly [values: NodeId, scores: NodeId],
    spec: { grouping: Grouping; heads: number; first: number; channels: number; merge?: number },
  ): NodeId {
    const { grouping, heads, first, channels, merge = 1 } = spec;
    return this.#b.append(
      name,
      { op: 'groupMix', grouping, heads, first, channels, merge },
      inputs,
    );
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
    const weights = this.#b.layer(layer, [cOut, channels, kernel, kernel], true);
    return this.#b.append(name, { op: 'stridedConv', kernel, stride, cOut, ...weights }, [x]);
  }

  maxPool(name: string, x: NodeId, kernel: number, stride: number): NodeId {
    return this.#b.append(name, { op: 'maxPool', kernel, stride }, [x]);
  }

  /** Enlarges the map `x` to the size of another map, `like`. */
  resize(name: string, x: NodeId, like: NodeId): NodeId {
    const factor = strideOf(this.#b.map(x));
    return this.#b.append(name, { op: 'resize', factor }, [x, like]);
  }
}
