import { consumers, nodeMultiplyAdds } from '../graph/analysis.ts';
import type { Activation, Graph, GraphNode, MapShape, NodeId, Shape } from '../graph/graph.ts';
import {
  type ConvSpec,
  convGrid,
  convKernel,
  convPartsKernel,
  packBias,
  packConvWeights,
} from '../kernels/conv.ts';
import { enlargeKernel } from '../kernels/enlarge.ts';
import {
  blocksOf,
  ELEMENT_BYTES,
  type ElementType,
  type Grid,
  type Kernel,
  mapGrid,
} from '../kernels/kernel.ts';
import { type PointwiseOp, packAffine, pointwiseKernel } from '../kernels/pointwise.ts';
import {
  poolChunks,
  poolFinishKernel,
  poolPartialBytes,
  poolPartialGrid,
  poolPartialKernel,
} from '../kernels/pool.ts';
import { BOUND_PARTS, concatKernel, pixelShuffleKernel } from '../kernels/rearrange.ts';
import {
  dynamicWeightsKernel,
  linearKernel,
  softmaxKernel,
  vectorActivationKernel,
} from '../kernels/vector.ts';
import type { NetworkWeights } from './weights.ts';

/** Size in pixels of a feature map. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export type ResourceId = number;

/** A buffer that steps write and read: a node's value, or the partial sums of a pooling. */
export interface Resource {
  readonly name: string;
  readonly shape:
    | Shape
    | { readonly kind: 'partials'; readonly channels: number; readonly scale: number };
}

export type Operand =
  | { readonly resource: ResourceId }
  /** Key of `Program.constants`. */
  | { readonly constant: string };

/** One dispatch. Sizes are of the map at the step's `scale`: LR size times scale. */
export interface Step {
  readonly name: string;
  readonly kernel: Kernel;
  /** What bindings 1 .. n - 1 hold; the last binding is `write`. */
  readonly reads: readonly Operand[];
  readonly write: ResourceId;
  readonly scale: number;
  readonly grid: (size: Size) => Grid;
  readonly params: (size: Size) => readonly number[];
  readonly multiplyAdds: number;
  /** Estimated cost per LR pixel in multiply-adds, memory traffic included: for scheduling only. */
  readonly work: number;
}

/** A graph lowered to dispatches: plain data, no device involved. */
export interface Program {
  readonly element: ElementType;
  readonly resources: readonly Resource[];
  readonly steps: readonly Step[];
  /** Packed weights, made when a model is uploaded. Convolutions' are of the element type. */
  readonly constants: ReadonlyMap<string, ConstantSpec>;
  readonly input: ResourceId;
  readonly output: ResourceId;
  readonly resourceOf: ReadonlyMap<NodeId, ResourceId>;
}

export interface ConstantSpec {
  readonly pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>;
  readonly element: ElementType;
}

export interface LowerOptions {
  /** False: one dispatch per op, the check of every fused kernel. Default true. */
  readonly fuse?: boolean;
  /** Nodes that must be written out; fusion stops at them. */
  readonly keep?: ReadonlySet<NodeId>;
  readonly element?: ElementType;
}

/** Bytes of a resource for an LR image of `size`. */
export function resourceBytes({ shape }: Resource, size: Size, element: ElementType): number {
  if (shape.kind === 'vector') return blocksOf(shape.length) * 16;
  const pixels = size.width * size.height * shape.scale ** 2;
  return shape.kind === 'partials'
    ? poolPartialBytes(shape.channels, pixels)
    : blocksOf(shape.channels) * pixels * 4 * ELEMENT_BYTES[element];
}

/** Lowers a graph: finds the ops that one kernel can do together and lists the dispatches. */
export function lower(graph: Graph, options: LowerOptions = {}): Program {
  return new Lowering(graph, options).program();
}

/** A convolution with the nodes that its epilogue absorbs. */
interface ConvChain {
  readonly last: NodeId;
  readonly upsample: number;
  readonly source: NodeId;
  /** Parts of a concatenation that is read without being written; null for a plain input. */
  readonly parts: readonly NodeId[] | null;
  readonly act0: Activation | null;
  /** The weights of a PReLU in place of act0. */
  readonly slopes: string | null;
  readonly multiplier: NodeId | null;
  readonly addend: NodeId | null;
  readonly factor: number;
  readonly act1: Activation | null;
}

class Lowering {
  readonly #graph: Graph;
  readonly #fuse: boolean;
  readonly #keep: ReadonlySet<NodeId>;
  readonly #element: ElementType;
  readonly #readers: ReadonlyMap<NodeId, readonly NodeId[]>;
  readonly #resources: Resource[] = [];
  readonly #resourceOf = new Map<NodeId, ResourceId>();
  readonly #constants = new Map<string, ConstantSpec>();
  readonly #steps: Step[] = [];
  /** Work to emit when its last node is reached; null: the node lives inside another's kernel. */
  readonly #emit = new Map<NodeId, (() => void) | null>();

  constructor(graph: Graph, options: LowerOptions) {
    this.#graph = graph;
    this.#fuse = options.fuse ?? true;
    this.#keep = options.keep ?? new Set();
    this.#element = options.element ?? 'f32';
    this.#readers = consumers(graph);
  }

  program(): Program {
    const { nodes, output } = this.#graph;
    // Claim nodes for fused kernels first; then walk in order and emit. A fused kernel stands at
    // its last node, where all of its operands exist.
    nodes.forEach((node, id) => {
      if (this.#emit.has(id)) return;
      if (node.op === 'conv') this.#claimConv(id);
      else if (node.op === 'globalAveragePool') this.#claimDynamicWeights(id);
      else if (node.op === 'mul' || node.op === 'add' || node.op === 'mix')
        this.#claimPointwise(id);
    });
    nodes.forEach((node, id) => {
      if (node.op === 'input') this.#resource(id);
      else if (this.#emit.has(id)) this.#emit.get(id)?.();
      else this.#emitAlone(node, id);
    });
    const input = nodes.findIndex((node) => node.op === 'input');
    return {
      element: this.#element,
      resources: this.#resources,
      steps: this.#steps,
      constants: this.#constants,
      input: this.#read(input),
      output: this.#read(output),
      resourceOf: this.#resourceOf,
    };
  }

  /** The only reader of a node whose value need not be written, or null. */
  #follower(id: NodeId): NodeId | null {
    if (!this.#fuse || this.#keep.has(id) || id === this.#graph.output) return null;
    const readers = this.#readers.get(id) ?? [];
    return readers.length === 1 && !this.#emit.has(readers[0]) ? readers[0] : null;
  }

  /**
   * conv [activation] [mul other] [add other] [activation], and before it a nearest enlargement or a
   * concatenation. Over a concatenation nothing is multiplied, and the addend needs a binding.
   */
  #claimConv(id: NodeId): void {
    const node = this.#graph.nodes[id];
    if (node.op !== 'conv') return;
    let last = id;
    let act0: Activation | null = null;
    let act1: Activation | null = null;
    let multiplier: NodeId | null = null;
    let addend: NodeId | null = null;
    let slopes: string | null = null;
    let factor = 1;
    const parts = this.#readParts(node);
    const canBind = (id: NodeId) => !parts || parts.includes(id) || parts.length < BOUND_PARTS;
    const absorbed: NodeId[] = [];
    for (let next = this.#follower(last); next !== null; next = this.#follower(last)) {
      const follower = this.#graph.nodes[next];
      const squares = follower.inputs.length === 2 && follower.inputs[0] === follower.inputs[1];
      if (squares) break; // both operands are the sum itself, which would have to be written
      if (follower.op === 'activation' && act1 === null) {
        const first = act0 === null && slopes === null && multiplier === null && addend === null;
        if (first) act0 = follower.activation;
        else act1 = follower.activation;
      } else if (follower.op === 'prelu' && last === id) {
        slopes = follower.weight;
      } else if (
        follower.op === 'mul' &&
        parts === null &&
        multiplier === null &&
        addend === null &&
        act1 === null
      ) {
        multiplier = other(follower, last);
      } else if (follower.op === 'add' && addend === null && act1 === null) {
        const summand = other(follower, last);
        // The sum is a + factor * b; the epilogue can only scale its own value.
        const scalable = follower.factor === 1 || follower.inputs[1] === last;
        if (!scalable || !canBind(summand)) break;
        addend = summand;
        factor = follower.factor;
      } else break;
      absorbed.push(last);
      last = next;
    }
    for (const inner of absorbed) this.#emit.set(inner, null);
    const epilogue = { act0, slopes, multiplier, addend, factor, act1 };
    const chain = { last, parts, ...this.#readThrough(node), ...epilogue };
    this.#emit.set(last, () => this.#emitConv(node, chain));
  }

  /** Convolutions read the parts of a concatenation, unless something else wants it as one map. */
  #readParts(node: GraphNode & { op: 'conv' }): readonly NodeId[] | null {
    const [source] = node.inputs;
    const from = this.#graph.nodes[source];
    if (!this.#fuse || from.op !== 'concat' || this.#keep.has(source)) return null;
    const readers = this.#readers.get(source) ?? [];
    const all = readers.every((id) => this.#graph.nodes[id].op === 'conv');
    if (!all || source === this.#graph.output) return null;
    this.#emit.set(source, null);
    return from.inputs;
  }

  /** A 3x3 convolution reads a nearest enlargement itself, unless somebody wants to see it. */
  #readThrough(node: GraphNode & { op: 'conv' }): { upsample: number; source: NodeId } {
    const [source] = node.inputs;
    const from = this.#graph.nodes[source];
    if (!this.#fuse || node.kernel !== 3 || from.op !== 'nearest' || this.#keep.has(source)) {
      return { upsample: 1, source };
    }
    const readers = this.#readers.get(source) ?? [];
    const all = readers.every((id) => {
      const reader = this.#graph.nodes[id];
      return reader.op === 'conv' && reader.kernel === 3;
    });
    if (!all || source === this.#graph.output) return { upsample: 1, source };
    this.#emit.set(source, null);
    return { upsample: from.scale, source: from.inputs[0] };
  }

  /** mul, add or mix, and the activation behind it. */
  #claimPointwise(id: NodeId): void {
    const next = this.#follower(id);
    const follower = next === null ? null : this.#graph.nodes[next];
    if (next === null || follower?.op !== 'activation') return;
    this.#emit.set(id, null);
    this.#emit.set(next, () =>
      this.#emitPointwise(this.#graph.nodes[id], next, follower.activation),
    );
  }

  /** pool, linear, relu, linear, softmax: the dynamic attention module. */
  #claimDynamicWeights(id: NodeId): void {
    const chain = [id];
    for (let next = this.#follower(id); next !== null; next = this.#follower(next))
      chain.push(next);
    const [pool, first, relu, second, softmax] = chain.map((i) => this.#graph.nodes[i]);
    if (
      first?.op !== 'linear' ||
      relu?.op !== 'activation' ||
      relu.activation.fn !== 'relu' ||
      second?.op !== 'linear' ||
      softmax?.op !== 'softmax' ||
      pool.shape.kind !== 'vector'
    ) {
      return;
    }
    const { length } = pool.shape;
    for (const inner of chain.slice(0, 4)) this.#emit.set(inner, null);
    this.#emit.set(chain[4], () => {
      const partials = this.#emitPoolPartial(pool);
      const { scale } = this.#mapShape(pool.inputs[0]);
      this.#steps.push({
        name: softmax.name,
        kernel: dynamicWeightsKernel({
          lengthIn: length,
          hidden: first.lengthOut,
          lengthOut: second.lengthOut,
          temperature: softmax.temperature,
        }),
        reads: [
          { resource: partials },
          this.#constant(first.weight, 'f32', (w) => exact(w, first.weight)),
          this.#constant(second.weight, 'f32', (w) => exact(w, second.weight)),
        ],
        write: this.#resource(chain[4]),
        scale,
        grid: () => [1, 1, 1],
        params: poolParams,
        multiplyAdds: 0,
        work: 0,
      });
    });
  }

  #emitAlone(node: GraphNode, id: NodeId): void {
    switch (node.op) {
      case 'mul':
      case 'add':
      case 'mix':
        this.#emitPointwise(node, id, null);
        return;
      case 'prelu':
      case 'affine':
        this.#emitByChannel(node, id);
        return;
      case 'concat':
        this.#emitConcat(node, id);
        return;
      case 'pixelShuffle':
      case 'pixelUnshuffle': {
        const { channels, scale } = this.#mapShape(id);
        this.#steps.push({
          name: node.name,
          kernel: pixelShuffleKernel(node.op, node.scale, channels, this.#element),
          reads: [{ resource: this.#read(node.inputs[0]) }],
          write: this.#resource(id),
          ...this.#mapStep(channels, scale),
        });
        return;
      }
      case 'activation':
        if (node.shape.kind === 'map') this.#emitPointwise(node, id, node.activation);
        else this.#emitVector(node, id, vectorActivationKernel(node.shape.length, node.activation));
        return;
      case 'softmax':
        if (node.shape.kind === 'vector') {
          this.#emitVector(node, id, softmaxKernel(node.shape.length, node.temperature));
        }
        return;
      case 'linear': {
        const from = this.#graph.nodes[node.inputs[0]].shape;
        if (from.kind === 'vector') {
          const weight = this.#constant(node.weight, 'f32', (w) => exact(w, node.weight));
          this.#emitVector(node, id, linearKernel(from.length, node.lengthOut), weight);
        }
        return;
      }
      case 'globalAveragePool':
        this.#emitPool(node, id);
        return;
      case 'nearest':
      case 'bilinear': {
        const { channels, scale } = this.#mapShape(id);
        this.#steps.push({
          name: node.name,
          kernel: enlargeKernel(node.op, node.scale, this.#element),
          reads: [{ resource: this.#read(node.inputs[0]) }],
          write: this.#resource(id),
          ...this.#mapStep(channels, scale),
        });
      }
    }
  }

  #emitConv(node: GraphNode & { op: 'conv' }, chain: ConvChain): void {
    const { last, source, parts, upsample, multiplier, addend, slopes, act0, act1 } = chain;
    const { kernel, cIn, cOut, bias } = node;
    const spec: ConvSpec = {
      kernel,
      cIn,
      cOut,
      upsample,
      act0: slopes === null ? act0 : 'prelu',
      multiply: multiplier !== null,
      add: addend !== null,
      factor: chain.factor,
      act1,
    };
    const channels = parts?.map((part) => this.#mapShape(part).channels) ?? [cIn];
    const weights = this.#constant(node.weight, this.#element, (w) =>
      packConvWeights(exact(w, node.weight), cOut, cIn, kernel, channels),
    );
    const biases = this.#constant(bias ?? `${node.weight}:no-bias`, this.#element, (w) =>
      packBias(
        bias === null ? null : exact(w, bias),
        cOut,
        slopes === null ? null : exact(w, slopes),
      ),
    );
    const { scale } = this.#mapShape(last);
    const multiplyAdds = nodeMultiplyAdds(node);
    const resource = (id: NodeId): Operand => ({ resource: this.#read(id) });
    let kernelAndReads: Pick<Step, 'kernel' | 'reads'>;
    // A binding that the constants switch off still needs a buffer: the input will do.
    if (parts === null) {
      kernelAndReads = {
        kernel: convKernel(spec, this.#element),
        reads: [
          resource(source),
          weights,
          biases,
          resource(multiplier ?? source),
          resource(addend ?? source),
        ],
      };
    } else {
      const bound = addend === null || parts.includes(addend) ? [...parts] : [...parts, addend];
      const index = addend === null ? 0 : bound.indexOf(addend);
      while (bound.length < BOUND_PARTS) bound.push(parts[0]);
      kernelAndReads = {
        kernel: convPartsKernel({ ...spec, parts: channels, addend: index }, this.#element),
        reads: [...bound.map(resource), weights, biases],
      };
    }
    this.#steps.push({
      name: this.#graph.nodes[last].name,
      ...kernelAndReads,
      write: this.#resource(last),
      scale,
      grid: ({ width, height }) => convGrid(spec, width, height),
      params: mapParams,
      multiplyAdds,
      work: multiplyAdds + memoryWork(cIn + cOut, scale),
    });
  }

  #emitPointwise(node: GraphNode, last: NodeId, activation: Activation | null): void {
    const op: PointwiseOp =
      node.op === 'mul' || node.op === 'add' || node.op === 'mix' ? node.op : 'copy';
    const [a, b = a, p = a] = node.inputs.map((id) => ({ resource: this.#read(id) }));
    const { channels, scale } = this.#mapShape(last);
    this.#steps.push({
      name: this.#graph.nodes[last].name,
      kernel: pointwiseKernel(op, activation, this.#element, node.op === 'add' ? node.factor : 1),
      reads: [a, b, p],
      write: this.#resource(last),
      ...this.#mapStep(channels, scale),
    });
  }

  #emitByChannel(node: GraphNode & { op: 'prelu' | 'affine' }, id: NodeId): void {
    const x = { resource: this.#read(node.inputs[0]) };
    const { channels, scale } = this.#mapShape(id);
    const p =
      node.op === 'prelu'
        ? this.#constant(node.weight, 'f32', (w) => packBias(exact(w, node.weight), channels))
        : this.#constant(`${node.name}:affine`, 'f32', () => packAffine(node.scale, node.shift));
    this.#steps.push({
      name: node.name,
      kernel: pointwiseKernel(node.op, null, this.#element),
      reads: [x, x, p],
      write: this.#resource(id),
      ...this.#mapStep(channels, scale),
    });
  }

  #emitConcat(node: GraphNode, id: NodeId): void {
    const parts = node.inputs.map((part) => this.#mapShape(part).channels);
    const reads = node.inputs.map((part): Operand => ({ resource: this.#read(part) }));
    while (reads.length < BOUND_PARTS) reads.push(reads[0]);
    const { channels, scale } = this.#mapShape(id);
    this.#steps.push({
      name: node.name,
      kernel: concatKernel(parts, this.#element),
      reads,
      write: this.#resource(id),
      ...this.#mapStep(channels, scale),
    });
  }

  #emitVector(node: GraphNode, id: NodeId, kernel: Kernel, ...weights: Operand[]): void {
    this.#steps.push({
      name: node.name,
      kernel,
      reads: [{ resource: this.#read(node.inputs[0]) }, ...weights],
      write: this.#resource(id),
      scale: 1,
      grid: () => [1, 1, 1],
      params: () => [],
      multiplyAdds: 0,
      work: 0,
    });
  }

  #emitPool(node: GraphNode, id: NodeId): void {
    const partials = this.#emitPoolPartial(node);
    const { channels, scale } = this.#mapShape(node.inputs[0]);
    this.#steps.push({
      name: node.name,
      kernel: poolFinishKernel(channels),
      reads: [{ resource: partials }],
      write: this.#resource(id),
      scale,
      grid: () => [blocksOf(channels), 1, 1],
      params: poolParams,
      multiplyAdds: 0,
      work: 0,
    });
  }

  #emitPoolPartial(pool: GraphNode): ResourceId {
    const [from] = pool.inputs;
    const { channels, scale } = this.#mapShape(from);
    const name = `${pool.name}:partials`;
    this.#resources.push({ name, shape: { kind: 'partials', channels, scale } });
    const partials = this.#resources.length - 1;
    this.#steps.push({
      name,
      kernel: poolPartialKernel(channels, this.#element),
      reads: [{ resource: this.#read(from) }],
      write: partials,
      scale,
      grid: ({ width, height }) => poolPartialGrid(channels, width * height),
      params: poolParams,
      multiplyAdds: 0,
      work: memoryWork(channels, scale),
    });
    return partials;
  }

  #mapStep(channels: number, scale: number) {
    return {
      scale,
      grid: ({ width, height }: Size) => mapGrid(width, height, blocksOf(channels)),
      params: mapParams,
      multiplyAdds: 0,
      work: memoryWork(2 * channels, scale),
    };
  }

  #constant(
    key: string,
    element: ElementType,
    pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>,
  ): Operand {
    this.#constants.set(key, { pack, element });
    return { constant: key };
  }

  #mapShape(id: NodeId): MapShape {
    const { shape, name } = this.#graph.nodes[id];
    if (shape.kind !== 'map') throw new Error(`${name} is not a feature map`);
    return shape;
  }

  #resource(id: NodeId): ResourceId {
    const { name, shape } = this.#graph.nodes[id];
    this.#resources.push({ name, shape });
    this.#resourceOf.set(id, this.#resources.length - 1);
    return this.#resources.length - 1;
  }

  #read(id: NodeId): ResourceId {
    const resource = this.#resourceOf.get(id);
    if (resource === undefined) {
      throw new Error(`${this.#graph.nodes[id].name} is read before it is written`);
    }
    return resource;
  }
}

const mapParams = ({ width, height }: Size): number[] => [width, height];

const poolParams = ({ width, height }: Size): number[] => [
  width * height,
  poolChunks(width * height),
];

/** Multiply-adds that take about as long as moving `channels` values per pixel: a rough 8 each. */
const memoryWork = (channels: number, scale: number): number => 8 * channels * scale ** 2;

function exact(weights: NetworkWeights, name: string): Float32Array<ArrayBuffer> {
  const data = weights.get(name);
  if (!data) throw new Error(`weight ${name} was not bound`);
  return data as Float32Array<ArrayBuffer>;
}

/** The operand of a binary node that is not `id`. */
const other = (node: GraphNode, id: NodeId): NodeId =>
  node.inputs[0] === id ? node.inputs[1] : node.inputs[0];
