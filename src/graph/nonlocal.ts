/** Appends the ops of non-local attention (see `nonlocalOp.ts`) to a graph. */
import { type GraphBuilder, GraphError, type NodeId } from './graph.ts';
import type { Gate, NonlocalOp, OffsetLayout } from './nonlocalOp.ts';

/** The size parameters of clustered attention. */
export interface Clustering {
  readonly rounds: number;
  readonly clusters: number;
  readonly window: number;
}

/** Appends non-local ops to a graph. */
export class NonlocalBuilder {
  readonly #b: GraphBuilder;

  constructor(b: GraphBuilder) {
    this.#b = b;
  }

  /**
   * `means` is either the name of a weight tensor that contains the centroids [rounds, clusters,
   * channels], or the node that computes them.
   */
  similarity(
    name: string,
    x: NodeId,
    means: string | NodeId,
    { rounds, clusters }: Clustering,
    normalised: boolean,
  ): NodeId {
    const stored = typeof means === 'string';
    const { channels } = this.#b.map(x);
    const weight = stored ? this.#b.weight(means, [rounds, clusters, channels]) : null;
    const inputs = stored ? [x] : [x, means];
    return this.#append(name, { kind: 'similarity', rounds, clusters, normalised, weight }, inputs);
  }

  /** @param chunk if given, the number of clusters depends on the image's size (see `bucketsOf`) */
  codes(
    name: string,
    similarity: NodeId,
    { rounds, clusters }: Clustering,
    chunk?: number,
  ): NodeId {
    const limit = chunk === undefined ? {} : { chunk };
    return this.#append(name, { kind: 'argmax', rounds, clusters, ...limit }, [similarity]);
  }

  rank(name: string, codes: NodeId, { rounds, clusters }: Clustering): NodeId {
    return this.#append(name, { kind: 'rank', rounds, clusters }, [codes]);
  }

  inverse(name: string, permutation: NodeId, { rounds }: Pick<Clustering, 'rounds'>): NodeId {
    return this.#append(name, { kind: 'inverse', rounds }, [permutation]);
  }

  startMeans(name: string, x: NodeId, { rounds, clusters }: Clustering): NodeId {
    return this.#append(name, { kind: 'startMeans', rounds, clusters }, [x]);
  }

  clusterMeans(
    name: string,
    inputs: readonly [x: NodeId, codes: NodeId, order: NodeId, means: NodeId],
    { rounds, clusters }: Clustering,
  ): NodeId {
    return this.#append(name, { kind: 'clusterMeans', rounds, clusters }, inputs);
  }

  attention(
    name: string,
    x: NodeId,
    order: NodeId,
    { rounds, window }: Pick<Clustering, 'rounds' | 'window'>,
    spans: 1 | 3 = 3,
    bias?: NodeId,
  ): NodeId {
    const inputs = bias === undefined ? [x, order] : [x, order, bias];
    return this.#append(name, { kind: 'attention', rounds, window, spans }, inputs);
  }

  logSumExp(
    name: string,
    attention: NodeId,
    { rounds, window }: Pick<Clustering, 'rounds' | 'window'>,
  ): NodeId {
    return this.#append(name, { kind: 'logSumExp', rounds, window }, [attention]);
  }

  attend(
    name: string,
    inputs: readonly [x: NodeId, order: NodeId, rank: NodeId, attention: NodeId, lse: NodeId],
  ): NodeId {
    const node = this.#b.node(inputs[3]);
    const attention = node.op === 'nonlocal' ? node.spec : null;
    if (attention?.kind !== 'attention') throw new GraphError(`${name}: no attention`);
    const { rounds, window, spans } = attention;
    return this.#append(name, { kind: 'attend', rounds, window, spans }, inputs);
  }

  /**
   * Appends a softmax over each pixel's keys. If there is a gate, the map `gate.mask` changes the
   * logits or the softmax as `gate.reading` specifies.
   */
  keySoftmax(name: string, logits: NodeId, gate?: { mask: NodeId; reading: Gate }): NodeId {
    const inputs = gate ? [logits, gate.mask] : [logits];
    return this.#append(name, { kind: 'keySoftmax', gate: gate?.reading ?? null }, inputs);
  }

  sampleKeys(
    name: string,
    inputs: readonly [weights: NodeId, offsets: NodeId, reference: NodeId, sum?: NodeId],
    { first, keys, offsets }: { first: number; keys: number; offsets: OffsetLayout },
  ): NodeId {
    const given = inputs.filter((id) => id !== undefined);
    return this.#append(name, { kind: 'sampleKeys', first, keys, offsets }, given);
  }

  #append(name: string, spec: NonlocalOp, inputs: readonly NodeId[]): NodeId {
    return this.#b.append(name, { op: 'nonlocal', spec }, inputs);
  }
}
