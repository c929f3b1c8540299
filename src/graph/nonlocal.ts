/**
 * Appends the ops of attention to far pixels (`nonlocalOp.ts`) to a graph: in a module of its own,
 * since only networks with such attention load it.
 */
import { type GraphBuilder, GraphError, type NodeId, type TableShape } from './graph.ts';
import type { Gate, NonlocalOp, OffsetLayout } from './nonlocalOp.ts';

/** Sizes of a clustered attention. */
export interface Clustering {
  readonly rounds: number;
  readonly clusters: number;
  readonly window: number;
}

const table = (
  dims: (pixels: number) => readonly number[],
  integer = false,
): TableShape & { kind: 'table' } => ({ kind: 'table', dims, integer });

/** Appends non-local ops to a graph. */
export class NonlocalBuilder {
  readonly #b: GraphBuilder;

  constructor(b: GraphBuilder) {
    this.#b = b;
  }

  /** `means` is the name of the stored centroids [R, K, D], or a node that computes them. */
  similarity(
    name: string,
    x: NodeId,
    means: string | NodeId,
    { rounds, clusters }: Clustering,
    normalised: boolean,
  ): NodeId {
    const { channels } = this.#b.map(x);
    const stored = typeof means === 'string';
    const weight = stored ? this.#b.weight(means, [rounds, clusters, channels]) : null;
    return this.#append(
      name,
      { kind: 'similarity', rounds, clusters, normalised, weight },
      stored ? [x] : [x, means],
      table((pixels) => [rounds, pixels, clusters]),
      rounds * clusters * channels,
    );
  }

  codes(name: string, similarity: NodeId, { rounds, clusters }: Clustering): NodeId {
    return this.#append(
      name,
      { kind: 'argmax', rounds, clusters },
      [similarity],
      table((pixels) => [rounds * pixels], true),
    );
  }

  rank(name: string, codes: NodeId, { rounds, clusters }: Clustering): NodeId {
    return this.#append(
      name,
      { kind: 'rank', rounds, clusters },
      [codes],
      table((pixels) => [rounds * pixels], true),
    );
  }

  inverse(name: string, permutation: NodeId, { rounds }: Pick<Clustering, 'rounds'>): NodeId {
    return this.#append(
      name,
      { kind: 'inverse', rounds },
      [permutation],
      table((pixels) => [rounds * pixels], true),
    );
  }

  startMeans(name: string, x: NodeId, { rounds, clusters }: Clustering): NodeId {
    const { channels } = this.#b.map(x);
    return this.#append(
      name,
      { kind: 'startMeans', rounds, clusters },
      [x],
      table(() => [rounds, clusters, channels]),
    );
  }

  clusterMeans(
    name: string,
    inputs: readonly [x: NodeId, codes: NodeId, order: NodeId, means: NodeId],
    { rounds, clusters }: Clustering,
  ): NodeId {
    const { channels } = this.#b.map(inputs[0]);
    return this.#append(
      name,
      { kind: 'clusterMeans', rounds, clusters },
      inputs,
      table(() => [rounds, clusters, channels]),
    );
  }

  attention(
    name: string,
    x: NodeId,
    order: NodeId,
    { rounds, window }: Pick<Clustering, 'rounds' | 'window'>,
    spans: 1 | 3 = 3,
  ): NodeId {
    return this.#append(
      name,
      { kind: 'attention', rounds, window, spans },
      [x, order],
      table((pixels) => [rounds, Math.ceil(pixels / window), window, spans * window]),
      rounds * spans * window * this.#b.map(x).channels,
    );
  }

  logSumExp(
    name: string,
    attention: NodeId,
    { rounds, window }: Pick<Clustering, 'rounds' | 'window'>,
  ): NodeId {
    return this.#append(
      name,
      { kind: 'logSumExp', rounds, window },
      [attention],
      table((pixels) => [rounds, Math.ceil(pixels / window) * window]),
    );
  }

  attend(
    name: string,
    inputs: readonly [x: NodeId, order: NodeId, rank: NodeId, attention: NodeId, lse: NodeId],
  ): NodeId {
    const shape = this.#b.map(inputs[0]);
    const attention = this.spec(inputs[3]);
    if (attention?.kind !== 'attention') throw new GraphError(`${name}: no attention`);
    const { rounds, window, spans } = attention;
    const spec = { kind: 'attend', rounds, window, spans } as const;
    const multiplyAdds = rounds * spans * window * shape.channels;
    return this.#append(name, spec, inputs, shape, multiplyAdds, true);
  }

  /** Softmax over the keys; `mask` are the logits of the gate. */
  keySoftmax(name: string, logits: NodeId, gate?: { mask: NodeId; reading: Gate }): NodeId {
    const shape = this.#b.map(logits);
    if (gate && this.#b.map(gate.mask).channels !== shape.channels) {
      throw new GraphError(`${name}: the mask has other keys`);
    }
    return this.#append(
      name,
      { kind: 'keySoftmax', gate: gate?.reading ?? null },
      gate ? [logits, gate.mask] : [logits],
      shape,
      0,
      gate?.reading === 'columns',
    );
  }

  sampleKeys(
    name: string,
    inputs: readonly [weights: NodeId, offsets: NodeId, reference: NodeId, sum?: NodeId],
    { first, keys, offsets }: { first: number; keys: number; offsets: OffsetLayout },
  ): NodeId {
    const [weights, map] = inputs.map((id) => this.#b.map(id as NodeId).channels);
    if (first + keys > weights || map !== 2 * weights) {
      throw new GraphError(`${name}: ${weights} keys with ${map} offsets`);
    }
    const shape = this.#b.map(inputs[2]);
    const spec = { kind: 'sampleKeys', first, keys, offsets } as const;
    const given = inputs.filter((id) => id !== undefined);
    // Four taps and the weight for each key and channel.
    const multiplyAdds = 5 * keys * shape.channels;
    return this.#append(name, spec, given, shape, multiplyAdds, false, Number.POSITIVE_INFINITY);
  }

  /** What a node does, if it is one of these ops. */
  spec(id: NodeId): NonlocalOp | null {
    const node = this.#b.node(id);
    return node.op === 'nonlocal' ? node.spec : null;
  }

  #append(
    name: string,
    spec: NonlocalOp,
    inputs: readonly NodeId[],
    shape: Parameters<GraphBuilder['append']>[3],
    multiplyAdds = 0,
    global = false,
    reach = 0,
  ): NodeId {
    const op = { op: 'nonlocal', spec, multiplyAdds, global, reach } as const;
    return this.#b.append(name, op, inputs, shape);
  }
}
