import { internal } from '../../../errors.ts';
import { pixelsOf, type Size } from '../../../geometry.ts';
import { bucketsOf, type NonlocalOp } from '../../../graph/nonlocalOp.ts';
import { blocksOf, ELEMENT_BYTES, mapGrid } from '../../../kernels/kernel.ts';
import {
  argmaxKernel,
  biasedScoresKernel,
  clusterMeansKernel,
  gatherGrid,
  gatherRowsKernel,
  inverseKernel,
  keySoftmaxKernel,
  lineGrid,
  mergeGrid,
  mergeRowsKernel,
  plainProducts,
  type RowProducts,
  rowNormsKernel,
  sampleKeysKernel,
  sortBlocks,
  sortCountKernel,
  sortGrid,
  sortRankKernel,
  sortScanKernel,
  startMeansKernel,
  type WindowSpec,
  windowParams,
} from '../../../kernels/nonlocal/nonlocal.ts';
import { quadProducts } from '../../../kernels/nonlocal/nonlocalQuad.ts';
import { packRows } from '../../../kernels/nonlocal/rows.ts';
import type { FusedOpOf, ValueId } from '../fused.ts';
import type { Operand, ResourceId } from '../program.ts';
import { finite } from '../weights.ts';
import { type Emission, type EmitterGroup, exact, mapParams } from './emission.ts';
import { planSlabs, SLABS, type SlabPlan } from './slabs.ts';

/** The buffers and sizes of an `attention` op. The `attend` and `logSumExp` ops also use them. */
interface Pattern {
  readonly spec: WindowSpec & { readonly rounds: number };
  readonly rows: ResourceId;
  readonly norms: ResourceId;
  readonly weights: ResourceId;
  readonly lse: ResourceId;
  /** The rows of the bias map that is added to the scores; null if the op has no bias. */
  readonly bias: ResourceId | null;
  readonly plan: (size: Size) => SlabPlan;
}

/** The emitter for non-local attention, either over sorted clusters or over sparse keys. */
export const nonlocalEmitters: EmitterGroup<'nonlocal'> = (emission) => {
  const steps = new NonlocalSteps(emission);
  return { nonlocal: (op) => steps.emit(op) };
};

/**
 * The name, the inputs and the result of an op. `graph/nonlocalOp.ts` states the order of the
 * inputs.
 */
interface NonlocalNode {
  readonly name: string;
  readonly inputs: readonly ValueId[];
  readonly id: ValueId;
}

type SpecOf<K extends NonlocalOp['kind']> = NonlocalOp & { readonly kind: K };

class NonlocalSteps {
  readonly #emission: Emission;
  readonly #products: RowProducts;
  readonly #patterns = new Map<ValueId, Pattern>();
  /** The results of `#gather`. A key contains the map's id and the sort order's id. */
  readonly #rows = new Map<string, ResourceId>();

  constructor(emission: Emission) {
    this.#emission = emission;
    this.#products = emission.quads ? quadProducts : plainProducts;
  }

  emit({ name, spec, reads: { inputs }, writes: { y: id } }: FusedOpOf<'nonlocal'>): void {
    const node = { name, inputs, id };
    switch (spec.kind) {
      case 'similarity':
        this.#similarity(node, spec);
        break;
      case 'argmax':
        this.#argmax(node, spec);
        break;
      case 'rank':
        this.#rank(node, spec);
        break;
      case 'inverse':
        this.#inverse(node, spec);
        break;
      case 'startMeans':
      case 'clusterMeans':
        this.#means(node, spec);
        break;
      case 'attention':
        this.#attention(node, spec);
        break;
      case 'logSumExp':
        this.#emission.assign(id, this.#pattern(inputs[0]).lse);
        break;
      case 'attend':
        this.#attend(node, spec.rounds);
        break;
      case 'keySoftmax':
      case 'sampleKeys':
        this.#sparse(node, spec);
        break;
    }
  }

  #similarity(node: NonlocalNode, spec: SpecOf<'similarity'>): void {
    const { rounds, clusters, weight, normalised } = spec;
    const channels = this.#channels(node.inputs[0]);
    const means: Operand =
      weight === null
        ? this.#read(node.inputs[1])
        : this.#emission.constant(`rows of ${channels}`, [weight], 'f32', (w) =>
            packRows(finite(exact(w, weight)), channels),
          );
    this.#emission.dispatch({
      name: node.name,
      kernel: this.#products.similarity({ channels, clusters, normalised }, this.#emission.element),
      reads: { x: this.#read(node.inputs[0]), means },
      writes: {
        similar: this.#table(node.id, (pixels) => rounds * pixels * blocksOf(clusters) * 16),
      },
      grid: (size) => this.#products.similarityGrid(pixelsOf(size), clusters, rounds),
      params: (size) => ({ length: pixelsOf(size), unused: 0 }),
      multiplyAdds: rounds * clusters * channels,
    });
  }

  #argmax(node: NonlocalNode, spec: SpecOf<'argmax'>): void {
    const { rounds, clusters } = spec;
    this.#emission.dispatch({
      name: node.name,
      kernel: argmaxKernel(clusters),
      reads: { similar: this.#read(node.inputs[0]) },
      writes: { codes: this.#integers(node.id, rounds) },
      grid: (size) => lineGrid(pixelsOf(size), rounds),
      params: (size) => ({
        length: pixelsOf(size),
        in_use: spec.chunk === undefined ? 0 : bucketsOf(pixelsOf(size), spec.chunk, clusters),
      }),
      work: 200,
    });
  }

  #inverse(node: NonlocalNode, spec: SpecOf<'inverse'>): void {
    const { rounds } = spec;
    this.#emission.dispatch({
      name: node.name,
      kernel: inverseKernel(),
      reads: { permutation: this.#read(node.inputs[0]) },
      writes: { inverse: this.#integers(node.id, rounds) },
      grid: (size) => lineGrid(rounds * pixelsOf(size)),
      params: (size) => ({ length: rounds * pixelsOf(size) }),
    });
  }

  #rank(node: NonlocalNode, spec: SpecOf<'rank'>): void {
    const { rounds, clusters } = spec;
    const counts = (size: Size) => rounds * clusters * sortBlocks(pixelsOf(size)) * 4;
    const add = (name: string) => this.#emission.scratch(`${node.name}:${name}`, counts);
    const [counted, starts] = [add('counts'), add('starts')];
    const codes = this.#read(node.inputs[0]);
    const sized = (size: Size) => ({
      length: pixelsOf(size),
      blocks: sortBlocks(pixelsOf(size)),
    });
    this.#emission.dispatch({
      name: `${node.name}:count`,
      kernel: sortCountKernel(clusters),
      reads: { codes },
      writes: { counts: counted },
      params: sized,
      grid: (size) => sortGrid(pixelsOf(size), rounds),
      work: clusters,
    });
    this.#emission.dispatch({
      name: `${node.name}:scan`,
      kernel: sortScanKernel(),
      reads: { counts: { resource: counted } },
      writes: { starts },
      grid: () => [1, 1, rounds],
      params: (size) => ({ total: clusters * sortBlocks(pixelsOf(size)) }),
    });
    this.#emission.dispatch({
      name: node.name,
      kernel: sortRankKernel(clusters),
      reads: { codes, starts: { resource: starts } },
      writes: { rank: this.#integers(node.id, rounds) },
      grid: (size) => sortGrid(pixelsOf(size), rounds),
      params: sized,
      work: clusters,
    });
  }

  #means(
    node: NonlocalNode,
    { kind, rounds, clusters }: SpecOf<'startMeans' | 'clusterMeans'>,
  ): void {
    const channels = this.#channels(node.inputs[0]);
    const { element } = this.#emission;
    const vectors = clusters * blocksOf(channels);
    const [x, codes, order, before] = this.#reads(node);
    const shared = {
      name: node.name,
      writes: { means: this.#table(node.id, () => rounds * vectors * 16) },
      params: (size: Size) => ({ length: pixelsOf(size) }),
      work: channels,
    };
    if (kind === 'startMeans') {
      this.#emission.dispatch({
        ...shared,
        kernel: startMeansKernel(channels, clusters, element),
        reads: { x },
        grid: () => lineGrid(vectors, rounds),
      });
    } else {
      this.#emission.dispatch({
        ...shared,
        kernel: clusterMeansKernel(channels, clusters, element),
        reads: { x, codes, order, before },
        grid: () => [clusters, 1, rounds],
      });
    }
  }

  #attention(node: NonlocalNode, op: SpecOf<'attention'>): void {
    const [embedding, order, added] = node.inputs;
    const { rounds, window, spans } = op;
    const channels = this.#channels(embedding);
    const { element, keep } = this.#emission;
    const spec = { channels, window, spans, rounds };
    const rows = this.#gather(embedding, order, spec);
    const norms = this.#emission.scratch(
      `${node.name}:norms`,
      (size) => this.#padded(spec, size) * 4,
    );
    this.#emission.dispatch({
      name: `${node.name}:norms`,
      kernel: rowNormsKernel(channels, element),
      reads: { rows: { resource: rows } },
      writes: { inverse: norms },
      grid: (size) => lineGrid(this.#padded(spec, size)),
      params: (size) => ({ count: this.#padded(spec, size) }),
      work: channels,
    });
    // If the attention weights are to be read after the run, all of them must stay in memory, so
    // there is no limit.
    const limit = keep.has(node.id) ? Number.POSITIVE_INFINITY : this.#emission.attentionBytes;
    const plan = (size: Size) => planSlabs(spec, pixelsOf(size), limit);
    const weights = this.#emission.scratch(node.name, (size) => plan(size).bytes);
    const lse = this.#emission.scratch(`${node.name}:lse`, (size) => this.#padded(spec, size) * 4);
    this.#emission.assign(node.id, weights);
    const bias =
      added === undefined ? null : this.#gather(added, order, { ...spec, channels: window });
    const pattern = { spec, rows, norms, weights, lse, bias, plan };
    this.#patterns.set(node.id, pattern);
    this.#scores(node.name, pattern, (size) => {
      const { kept, windows } = plan(size);
      return { first: 0, count: kept ? windows : 0, share: kept ? 1 : 0 };
    });
  }

  /**
   * Appends a step that computes the attention weights of a slab, which is a range of consecutive
   * windows. If the range is empty, the step has an empty grid.
   */
  #scores(
    name: string,
    { spec, rows, norms, weights, lse, bias }: Pattern,
    slab: (size: Size) => { first: number; count: number; share: number },
  ): void {
    const { rounds, window, spans, channels } = spec;
    const { element } = this.#emission;
    const reads = { rows: { resource: rows }, inverse: { resource: norms } };
    const params = (size: Size) =>
      windowParams(spec, Math.ceil(pixelsOf(size) / window), slab(size).first);
    const shared = {
      name,
      writes: { p: weights, lse },
      multiplyAdds: rounds * spans * window * channels,
      work: rounds * spans * window * (channels + 16),
      share: (size: Size) => slab(size).share,
    };
    if (bias === null) {
      this.#emission.dispatch({
        ...shared,
        kernel: this.#products.scores(element),
        reads,
        params,
        grid: (size) => this.#products.scoresGrid(window, slab(size).count),
      });
    } else {
      this.#emission.dispatch({
        ...shared,
        kernel: biasedScoresKernel(element),
        reads: { ...reads, bias: { resource: bias } },
        params: (size) => ({ ...params(size), bias_blocks: blocksOf(window) }),
        grid: (size) => plainProducts.scoresGrid(window, slab(size).count),
      });
    }
  }

  #attend(node: NonlocalNode, rounds: number): void {
    const [value, order, rank, attention] = node.inputs;
    const pattern = this.#pattern(attention);
    const { plan } = pattern;
    const channels = this.#channels(value);
    const { element } = this.#emission;
    const spec = { ...pattern.spec, channels };
    const { window, spans } = spec;
    const rows = this.#gather(value, order, spec);
    const mixed = this.#emission.scratch(`${node.name}:mixed`, (size) =>
      this.#rowBytes(spec, size),
    );
    for (let i = 0; i < SLABS; i++) {
      const slab = (size: Size) => {
        const { windows, perSlab } = plan(size);
        const first = Math.min(windows, i * perSlab);
        const count = Math.min(perSlab, windows - first);
        return { first, count, share: count / windows };
      };
      this.#scores(`${node.name}:scores${i}`, pattern, (size) =>
        plan(size).kept ? { first: 0, count: 0, share: 0 } : slab(size),
      );
      this.#emission.dispatch({
        name: `${node.name}:mix${i}`,
        kernel: this.#products.mix(element),
        reads: { p: { resource: pattern.weights }, rows: { resource: rows } },
        writes: { y: mixed },
        grid: (size) => this.#products.mixGrid(spec, slab(size).count),
        params: (size) => windowParams(spec, Math.ceil(pixelsOf(size) / window), slab(size).first),
        multiplyAdds: rounds * spans * window * channels,
        share: (size) => slab(size).share,
      });
    }
    this.#emission.dispatch({
      name: node.name,
      kernel: mergeRowsKernel(channels, rounds, element),
      reads: {
        rows: { resource: mixed },
        rank: this.#read(rank),
        lse: { resource: pattern.lse },
      },
      writes: { y: this.#emission.write(node.id) },
      grid: (size) => mergeGrid(pixelsOf(size), channels),
      params: (size) => ({
        length: pixelsOf(size),
        padded: this.#padded(spec, size) / rounds,
      }),
      work: 16 * channels,
    });
  }

  #sparse(node: NonlocalNode, spec: SpecOf<'keySoftmax' | 'sampleKeys'>): void {
    const channels = this.#channels(node.id);
    const { element } = this.#emission;
    const reads = this.#reads(node);
    const shared = {
      name: node.name,
      writes: { y: this.#emission.write(node.id) },
      params: mapParams,
    };
    // A binding that the kernel does not read still needs a buffer, so we bind another input.
    if (spec.kind === 'keySoftmax') {
      const [a, b = a] = reads;
      this.#emission.dispatch({
        ...shared,
        kernel: keySoftmaxKernel(channels, spec.gate, element),
        reads: { a, b },
        grid: ({ width, height }) => mapGrid(width, height, 1),
        work: 30 * channels,
      });
    } else {
      const [w, offsets, x, before = x] = reads;
      this.#emission.dispatch({
        ...shared,
        kernel: sampleKeysKernel({ ...spec, add: reads.length > 3 }, element),
        reads: { w, offsets, x, before },
        grid: ({ width, height }) => mapGrid(width, height, blocksOf(channels)),
        multiplyAdds: 5 * spec.keys * channels,
        work: 8 * spec.keys * channels,
      });
    }
  }

  /**
   * Returns the rows of a map in sorted order. The first call for a given map and order appends a
   * step that gathers the rows. Later calls return the same rows.
   */
  #gather(map: ValueId, order: ValueId, spec: Pattern['spec']): ResourceId {
    const key = `${map}/${order}`;
    const found = this.#rows.get(key);
    if (found !== undefined) return found;
    const { channels, rounds } = spec;
    const name = `${this.#emission.name(map)}:rows`;
    const rows = this.#emission.scratch(name, (size) => this.#rowBytes(spec, size));
    this.#rows.set(key, rows);
    this.#emission.dispatch({
      name,
      kernel: gatherRowsKernel(channels, this.#emission.element),
      reads: { x: this.#read(map), order: this.#read(order) },
      writes: { rows },
      grid: (size) => gatherGrid(channels, this.#padded(spec, size) / rounds, rounds),
      params: (size) => ({
        length: pixelsOf(size),
        padded: this.#padded(spec, size) / rounds,
      }),
      work: 16 * channels,
    });
    return rows;
  }

  /**
   * Returns the total number of rows in all rounds of clustering. In each round, the last window is
   * padded to its full size.
   */
  #padded({ window, rounds }: Pattern['spec'], size: Size): number {
    return rounds * Math.ceil(pixelsOf(size) / window) * window;
  }

  #rowBytes(spec: Pattern['spec'], size: Size): number {
    const vector = 4 * ELEMENT_BYTES[this.#emission.element];
    return this.#padded(spec, size) * blocksOf(spec.channels) * vector;
  }

  #pattern(id: ValueId): Pattern {
    const pattern = this.#patterns.get(id);
    if (!pattern) throw internal(`${this.#emission.name(id)} is no attention`);
    return pattern;
  }

  #read(id: ValueId): Operand {
    return this.#emission.read(id);
  }

  #reads(node: NonlocalNode): Operand[] {
    return node.inputs.map((id) => this.#read(id));
  }

  #channels(id: ValueId): number {
    const { shape, name } = this.#emission.graph.nodes[id];
    if (shape.kind !== 'map' || shape.scale !== 1) throw internal(`${name} is no map of LR size`);
    return shape.channels;
  }

  #integers(id: ValueId, rounds: number): ResourceId {
    return this.#table(id, (pixels) => rounds * pixels * 4);
  }

  #table(id: ValueId, bytes: (pixels: number) => number): ResourceId {
    const table = this.#emission.scratch(this.#emission.name(id), (size) => bytes(pixelsOf(size)));
    return this.#emission.assign(id, table);
  }
}
