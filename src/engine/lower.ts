import { consumers, nodeMultiplyAdds } from '../graph/analysis.ts';
import type { Activation, Graph, GraphNode, MapShape, NodeId } from '../graph/graph.ts';
import {
  attentionGateKernel,
  attentionGrid,
  attentionGroups,
  attentionMixKernel,
  packAttentionGate,
  packAttentionMix,
  statGroups,
} from '../kernels/attentionBlock.ts';
import {
  type ConvChoice,
  type ConvSpec,
  convParams,
  packBias,
  packConvWeights,
  plainConv,
} from '../kernels/conv.ts';
import {
  convGateGrid,
  convGateKernel,
  convPackGrid,
  convPackKernel,
  packConvGate,
  packGateBias,
} from '../kernels/convFused.ts';
import { enlargeKernel } from '../kernels/enlarge.ts';
import {
  BOUND_PARTS,
  blocksOf,
  DEFAULT_WORKGROUP_LIMITS,
  ELEMENT_BYTES,
  type ElementType,
  type Grid,
  type Kernel,
  mapGrid,
  type WorkgroupLimits,
} from '../kernels/kernel.ts';
import { type PointwiseOp, pointwiseKernel } from '../kernels/pointwise.ts';
import {
  poolChunks,
  poolPartialBytes,
  poolPartialGrid,
  poolPartialKernel,
} from '../kernels/pool.ts';
import {
  bytesPerPixel,
  type PixelFormat,
  packRgba8Kernel,
  unpackRgba8Kernel,
} from '../kernels/rgba8.ts';
import { dynamicWeightsKernel } from '../kernels/vector.ts';
import { type AttentionBlock, type GatedConv, PatternFinder, type SkipOutput } from './fuse.ts';
import type { Tile } from './tiler.ts';
import type { NetworkWeights } from './weights.ts';

/** Size in pixels of a feature map. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export type ResourceId = number;

/** A buffer that steps write and read: a node's value, sums of a pooling, 8-bit pixels. */
export interface Resource {
  readonly name: string;
  /** Bytes for tiles of `size` LR pixels, overlap included. */
  readonly bytes: (size: Size) => number;
  /** Made by whoever runs the program, and not planned into slots. */
  readonly external: boolean;
}

/** A tile within the image, or the part of it, that the source resource holds; in LR pixels. */
export interface TileView extends Tile {
  readonly image: Size;
}

export type Operand =
  | { readonly resource: ResourceId }
  /** Key of `Program.constants`. */
  | { readonly constant: string };

/** What a step takes of a pooling: sums over parts of the image. */
export interface Sums {
  /** Index in `reads`: [count][blocks] vec4f. */
  readonly operand: number;
  readonly blocks: number;
  /** Words of the uniform that say how many sums there are, and over how many pixels in all. */
  readonly count: number;
  readonly pixels: number;
}

/** One dispatch. Sizes are of the map at the step's `scale`: LR size times scale. */
export interface Step {
  readonly name: string;
  readonly kernel: Kernel;
  /** What the kernel's read bindings hold, in order; then what its write bindings hold. */
  readonly reads: readonly Operand[];
  readonly writes: readonly ResourceId[];
  /** Where a pooling ends: its sums may be replaced by those of a larger image (statistics.ts). */
  readonly sums?: Sums;
  readonly scale: number;
  readonly grid: (size: Size, tile: TileView) => Grid;
  readonly params: (size: Size, tile: TileView) => readonly number[];
  readonly multiplyAdds: number;
  /** Estimated cost per LR pixel in multiply-adds, memory traffic included: for scheduling only. */
  readonly work: number;
  /** The part of that cost that the step has at a size; default 1. */
  readonly share?: (size: Size) => number;
}

/** A graph lowered to dispatches: plain data, no device involved. */
export interface Program {
  readonly element: ElementType;
  readonly resources: readonly Resource[];
  readonly steps: readonly Step[];
  /** Packed weights, made when a model is uploaded. Convolutions' are of the element type. */
  readonly constants: ReadonlyMap<string, ConstantSpec>;
  readonly input: ResourceId;
  readonly resourceOf: ReadonlyMap<NodeId, ResourceId>;
  /** Resources that hold pixels, if the program goes from 8-bit image to 8-bit image. */
  readonly image: ImageResources | null;
}

export interface ImageResources {
  /** The LR image as far as the tile reads it; external. */
  readonly source: ResourceId;
  /** The tile's core, enlarged. */
  readonly packed: ResourceId;
  /** 4, or 8 for 16 bits per sample. */
  readonly pixelBytes: number;
  /** One u32, set to 1 if a value was not finite; external. */
  readonly status: ResourceId;
}

export interface ConstantSpec {
  readonly pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>;
  readonly element: ElementType;
}

/**
 * How far ops are fused: `none`, one dispatch per op, the check of every fused kernel; `ops`,
 * convolutions with their epilogues and the like; `blocks` (the default), also whole
 * attention-in-attention blocks and the two ends of the network.
 */
export type Fusion = 'none' | 'ops' | 'blocks';

export interface LowerOptions {
  readonly fuse?: Fusion;
  /** Nodes that must be written out; fusion stops at them. */
  readonly keep?: ReadonlySet<NodeId>;
  readonly element?: ElementType;
  /** What the device allows a workgroup; default: the least that any allows. */
  readonly workgroup?: WorkgroupLimits;
  /** Default: `plainConv` for all. */
  readonly conv?: ConvChoice;
  /** Given: the program converts from and to pixels; values run from 0 to `range`. */
  readonly image?: Pick<PixelFormat, 'range' | 'wide'>;
  /** Of graphs with `nonlocal` ops: `loadLowerings`. */
  readonly nonlocal?: NonlocalLowering | undefined;
  /** Of graphs with ops that no shipped network has, and of `none`: `loadLowerings`. */
  readonly others?: OtherLowering | undefined;
}

/** What the lowering of other ops may use of the lowering. */
export interface LoweringContext {
  readonly graph: Graph;
  readonly element: ElementType;
  /** Nodes that must be written out. */
  readonly keep: ReadonlySet<NodeId>;
  readonly steps: Step[];
  readonly resourceOf: Map<NodeId, ResourceId>;
  read(id: NodeId): ResourceId;
  /** The resource of a feature map, made. */
  resource(id: NodeId): ResourceId;
  addResource(name: string, bytes: (size: Size) => number): ResourceId;
  constant(
    key: string,
    element: ElementType,
    pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>,
  ): Operand;
  /** The first stage of a pooling: the resource of its sums, each over a part of the map. */
  poolPartial(from: NodeId, name: string): ResourceId;
}

/** A convolution over the parts of a concatenation: its step but for kernel, reads, grid and words. */
export interface PartsConv {
  readonly spec: ConvSpec;
  readonly parts: readonly NodeId[];
  /** Channels of each part. */
  readonly channels: readonly number[];
  readonly addend: NodeId | null;
  readonly weights: readonly Operand[];
}

/** Lowers ops that no shipped network has, or that `none` alone leaves to themselves. */
export interface OtherLowering {
  parts(
    context: LoweringContext,
    conv: PartsConv,
  ): Pick<Step, 'kernel' | 'reads' | 'grid' | 'params'>;
  alone(context: LoweringContext, node: GraphNode, id: NodeId): void;
}

/** Lowers the ops that the core leaves to a chunk of its own. */
export type NonlocalLowering = (
  context: LoweringContext,
) => (node: GraphNode & { op: 'nonlocal' }, id: NodeId) => void;

const pixelsOf = ({ width, height }: Size): number => width * height;

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
  readonly #fuse: Fusion;
  readonly #keep: ReadonlySet<NodeId>;
  readonly #element: ElementType;
  readonly #conv: ConvChoice;
  readonly #pixels: LowerOptions['image'];
  readonly #readers: ReadonlyMap<NodeId, readonly NodeId[]>;
  readonly #patterns: PatternFinder;
  readonly #context: LoweringContext;
  readonly #nonlocal: ReturnType<NonlocalLowering> | undefined;
  readonly #others: OtherLowering | undefined;
  readonly #resources: Resource[] = [];
  readonly #resourceOf = new Map<NodeId, ResourceId>();
  /** Sums of a fused block's t, by t; and of its second stage, by the gated map. */
  readonly #sumsOf = new Map<NodeId, { partials: ResourceId; count: (size: Size) => number }>();
  readonly #statsOf = new Map<NodeId, ResourceId>();
  readonly #constants = new Map<string, ConstantSpec>();
  readonly #steps: Step[] = [];
  /** Work to emit when its last node is reached; null: the node lives inside another's kernel. */
  readonly #emit = new Map<NodeId, (() => void) | null>();

  constructor(graph: Graph, options: LowerOptions) {
    this.#graph = graph;
    this.#fuse = options.fuse ?? 'blocks';
    this.#keep = options.keep ?? new Set();
    this.#element = options.element ?? 'f32';
    this.#conv = options.conv ?? (() => plainConv);
    this.#pixels = options.image;
    this.#readers = consumers(graph);
    this.#patterns = new PatternFinder(
      graph,
      this.#readers,
      this.#keep,
      options.workgroup ?? DEFAULT_WORKGROUP_LIMITS,
    );
    this.#context = {
      ...{ graph, element: this.#element, keep: this.#keep, steps: this.#steps },
      resourceOf: this.#resourceOf,
      read: (id) => this.#read(id),
      resource: (id) => this.#resource(id),
      addResource: (name, bytes) => this.#addResource(name, bytes),
      constant: (key, element, pack) => this.#constant(key, element, pack),
      poolPartial: (from, name) => this.#emitPoolPartial(from, name),
    };
    this.#nonlocal = options.nonlocal?.(this.#context);
    this.#others = options.others;
  }

  program(): Program {
    const { nodes, output } = this.#graph;
    const image = this.#pixels ? this.#imageResources(this.#pixels.wide) : null;
    // Claim nodes for fused kernels first, the largest patterns before the smaller; then walk in
    // order and emit. A fused kernel stands at its last node, where all of its operands exist.
    if (this.#fuse === 'blocks') {
      this.#claimAttentionBlocks();
      const end = image && !this.#pixels?.wide && this.#patterns.skipOutput();
      if (end) this.#claimSkipOutput(end, image);
    }
    nodes.forEach((node, id) => {
      if (this.#emit.has(id)) return;
      if (node.op === 'conv') this.#claimConv(id);
      else if (node.op === 'globalAveragePool') this.#claimDynamicWeights(id);
      else if (node.op === 'mul' || node.op === 'add' || node.op === 'mix')
        this.#claimPointwise(id);
    });
    nodes.forEach((node, id) => {
      if (node.op === 'input') {
        this.#resource(id);
        if (image) this.#emitUnpack(id, image);
      } else if (this.#emit.has(id)) this.#emit.get(id)?.();
      else this.#emitAlone(node, id);
    });
    if (image && this.#resourceOf.has(output)) this.#emitPack(output, image);
    return {
      element: this.#element,
      resources: this.#resources,
      steps: this.#steps,
      constants: this.#constants,
      input: this.#read(nodes.findIndex((node) => node.op === 'input')),
      resourceOf: this.#resourceOf,
      image,
    };
  }

  /** The whole of each attention-in-attention block, and the beginning of the one behind it. */
  #claimAttentionBlocks(): void {
    const blocks = this.#graph.nodes
      .map((_, id) => this.#patterns.attentionBlock(id))
      .filter((block) => block !== null);
    const byInput = new Map(blocks.map((block) => [block.x, block]));
    const byOutput = new Map(blocks.map((block) => [block.out, block]));
    /** The block that computes t for the one behind it, unless somebody wants to see first(x). */
    const feeds = (block: AttentionBlock): AttentionBlock | null => {
      const next = byInput.get(block.out);
      return next && next.features === block.features && !this.#keep.has(next.firstId)
        ? next
        : null;
    };
    for (const block of blocks) {
      for (const id of block.inner) this.#emit.set(id, null);
      const before = byOutput.get(block.x);
      if (before && feeds(before) === block) {
        this.#emit.set(block.firstId, null);
        this.#emit.set(block.t, null);
      }
      this.#emit.set(block.gated, () => this.#emitAttentionGate(block));
      this.#emit.set(block.out, () => this.#emitAttentionMix(block, feeds(block)));
    }
  }

  #emitAttentionGate(block: AttentionBlock): void {
    const { features, gated, t, k1, k2, k3, lanes } = block;
    const { scale } = this.#mapShape(gated);
    // The sums come with t from the block before, or from a pooling of their own.
    const sums = this.#sumsOf.get(t) ?? {
      partials: this.#emitPoolPartial(t, `${this.#graph.nodes[t].name}:partials`),
      count: (size: Size) => poolChunks(pixelsOf(size)),
    };
    const stats = this.#addResource(
      `${this.#graph.nodes[gated].name}:stats`,
      (size) =>
        statGroups(lanes, size.width * scale, size.height * scale) * blocksOf(features) * 16,
    );
    this.#statsOf.set(gated, stats);
    const multiplyAdds = [k1, k2, k3].reduce((sum, conv) => sum + nodeMultiplyAdds(conv), 0);
    this.#steps.push({
      name: this.#graph.nodes[gated].name,
      kernel: attentionGateKernel(block, this.#element),
      reads: [
        { resource: this.#read(t) },
        this.#constant(`${k1.weight}:gate`, this.#element, (w) =>
          packAttentionGate(block, {
            k1: exact(w, k1.weight),
            k2: exact(w, k2.weight),
            k3: exact(w, k3.weight),
          }),
        ),
        this.#bias(k2),
        { resource: sums.partials },
      ],
      writes: [this.#resource(gated), stats],
      scale,
      grid: ({ width, height }) => attentionGrid(lanes, width, height),
      params: (size) => [
        size.width,
        size.height,
        0,
        sums.count(size),
        statGroups(lanes, size.width, size.height),
      ],
      multiplyAdds,
      work: multiplyAdds + memoryWork(2 * features, scale),
    });
  }

  #emitAttentionMix(block: AttentionBlock, next: AttentionBlock | null): void {
    const { features, gated, t, x, out, k4, non, last, w1, w2, lanes } = block;
    const { scale } = this.#mapShape(out);
    const spec = {
      ...block,
      hidden: w1.lengthOut,
      nonKernel: non.kernel,
    };
    const reads: Operand[] = [
      { resource: this.#read(gated) },
      { resource: this.#read(t) },
      { resource: this.#read(x) },
      this.#constant(`${k4.weight}:mix`, this.#element, (w) =>
        packAttentionMix(spec, {
          k4: exact(w, k4.weight),
          non: exact(w, non.weight),
          last: exact(w, last.weight),
          first: next && exact(w, next.first.weight),
          w1: exact(w, w1.weight),
          w2: exact(w, w2.weight),
        }),
      ),
      { resource: this.#statsOf.get(gated) as ResourceId },
    ];
    const { name } = this.#graph.nodes[out];
    // Without a next block the kernel leaves its last two outputs alone, but they must be there.
    const nextT = next ? this.#resource(next.t) : this.#addResource(`${name}:no t`, () => 16);
    const partials = this.#addResource(`${name}:partials`, (size) =>
      next
        ? attentionGroups(lanes, size.width * scale, size.height * scale) * blocksOf(features) * 16
        : 16,
    );
    if (next) {
      this.#sumsOf.set(next.t, {
        partials,
        count: ({ width, height }) => attentionGroups(lanes, width, height),
      });
    }
    const convs = [k4, non, last, ...(next ? [next.first] : [])];
    const multiplyAdds = convs.reduce((sum, conv) => sum + nodeMultiplyAdds(conv), 0);
    this.#steps.push({
      name,
      kernel: attentionMixKernel(spec, this.#element),
      reads,
      writes: [this.#resource(out), nextT, partials],
      scale,
      grid: ({ width, height }) => attentionGrid(lanes, width, height),
      params: ({ width, height }) => [
        width,
        height,
        0,
        statGroups(lanes, width, height),
        next ? 1 : 0,
        width * height,
      ],
      sums: { operand: 4, blocks: blocksOf(features), count: 3, pixels: 5 },
      multiplyAdds,
      work: multiplyAdds + memoryWork(5 * features, scale),
    });
  }

  #claimSkipOutput({ conv, scale, inner }: SkipOutput, image: ImageResources): void {
    for (const id of inner) this.#emit.set(id, null);
    this.#emit.set(this.#graph.output, () => {
      const { range } = this.#format(this.#graph.output);
      const [skipFrom] = this.#graph.nodes[inner[1]].inputs;
      const multiplyAdds = nodeMultiplyAdds(conv);
      this.#steps.push({
        name: `${this.#graph.nodes[this.#graph.output].name}:packed`,
        kernel: convPackKernel({ cIn: conv.cIn, scale, range }, this.#element),
        reads: [
          { resource: this.#read(conv.inputs[0]) },
          this.#weight(conv),
          this.#bias(conv),
          { resource: this.#read(skipFrom) },
        ],
        writes: [image.packed, image.status],
        scale,
        grid: (_, { core }) => convPackGrid(core.width * scale, core.height * scale),
        params: (size, { core, source }) => [
          core.width * scale,
          core.height * scale,
          0,
          size.width,
          size.height,
          (core.x - source.x) * scale,
          (core.y - source.y) * scale,
        ],
        multiplyAdds,
        work: multiplyAdds + memoryWork(conv.cIn + 4, scale),
      });
    });
  }

  #imageResources(wide = false): ImageResources {
    const { scale } = this.#mapShape(this.#graph.output);
    const pixelBytes = bytesPerPixel(wide);
    return {
      pixelBytes,
      source: this.#addResource('image', (size) => pixelsOf(size) * pixelBytes, true),
      packed: this.#addResource('packed', (size) => pixelsOf(size) * scale ** 2 * pixelBytes),
      status: this.#addResource('status', () => 4, true),
    };
  }

  #emitUnpack(input: NodeId, { source }: ImageResources): void {
    this.#steps.push({
      name: 'unpack',
      kernel: unpackRgba8Kernel(this.#format(input), this.#element),
      reads: [{ resource: source }],
      writes: [this.#read(input)],
      scale: 1,
      grid: ({ width, height }) => mapGrid(width, height, 1),
      params: ({ width, height }, tile) => [
        width,
        height,
        0,
        tile.image.width,
        tile.source.x,
        tile.source.y,
        tile.image.height,
      ],
      multiplyAdds: 0,
      work: memoryWork(5, 1),
    });
  }

  #emitPack(output: NodeId, { source: image, packed, status }: ImageResources): void {
    const { scale } = this.#mapShape(output);
    this.#steps.push({
      name: 'pack',
      kernel: packRgba8Kernel({ ...this.#format(output), scale }, this.#element),
      reads: [{ resource: this.#read(output) }, { resource: image }],
      writes: [packed, status],
      scale,
      grid: (_, { core }) => mapGrid(core.width * scale, core.height * scale, 1),
      params: (size, tile) => [
        tile.core.width * scale,
        tile.core.height * scale,
        0,
        size.width,
        (tile.core.x - tile.source.x) * scale,
        (tile.core.y - tile.source.y) * scale,
        tile.image.width,
        tile.image.height,
        tile.core.x * scale,
        tile.core.y * scale,
      ],
      multiplyAdds: 0,
      work: memoryWork(5, scale),
    });
  }

  #format(id: NodeId): PixelFormat {
    return { range: 1, ...this.#pixels, channels: this.#mapShape(id).channels };
  }

  /** The only reader of a node whose value need not be written, or null. */
  #follower(id: NodeId): NodeId | null {
    if (this.#fuse === 'none' || this.#keep.has(id) || id === this.#graph.output) return null;
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
    const parts = this.#readParts(node);
    const gated = this.#fuse === 'blocks' && parts === null ? this.#patterns.gatedConv(id) : null;
    if (gated) {
      for (const inner of gated.inner) this.#emit.set(inner, null);
      const from = this.#readThrough(node);
      this.#emit.set(gated.last, () => this.#emitGatedConv(gated, from));
      return;
    }
    let last = id;
    let act0: Activation | null = null;
    let act1: Activation | null = null;
    let multiplier: NodeId | null = null;
    let addend: NodeId | null = null;
    let slopes: string | null = null;
    let factor = 1;
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
    if (this.#fuse === 'none' || from.op !== 'concat' || this.#keep.has(source)) return null;
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
    if (
      this.#fuse === 'none' ||
      node.kernel !== 3 ||
      from.op !== 'nearest' ||
      this.#keep.has(source)
    ) {
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
      const partials = this.#emitPoolPartial(pool.inputs[0], `${pool.name}:partials`);
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
        writes: [this.#resource(chain[4])],
        scale,
        grid: () => [1, 1, 1],
        params: poolParams,
        sums: poolSums(length),
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
      case 'activation':
        if (node.shape.kind === 'vector') break;
        this.#emitPointwise(node, id, node.activation);
        return;
      case 'nearest':
      case 'bilinear': {
        const { channels, scale } = this.#mapShape(id);
        this.#steps.push({
          name: node.name,
          kernel: enlargeKernel(node.op, node.scale, this.#element),
          reads: [{ resource: this.#read(node.inputs[0]) }],
          writes: [this.#resource(id)],
          ...mapStep(channels, scale),
        });
        return;
      }
      case 'nonlocal':
        this.#nonlocal?.(node, id);
        return;
    }
    this.#otherOps().alone(this.#context, node, id);
  }

  #otherOps(): OtherLowering {
    if (!this.#others) throw new Error('the lowering of other ops was not loaded');
    return this.#others;
  }

  #emitGatedConv(
    { conv, gate, last, activation, lanes }: GatedConv,
    { upsample, source }: { upsample: number; source: NodeId },
  ): void {
    const { cIn, cOut } = conv;
    const { scale } = this.#mapShape(last);
    const spec = { cIn, cOut, upsample, act1: activation, lanes };
    const multiplyAdds = nodeMultiplyAdds(conv) + nodeMultiplyAdds(gate);
    this.#steps.push({
      name: this.#graph.nodes[last].name,
      kernel: convGateKernel(spec, this.#element),
      reads: [
        { resource: this.#read(source) },
        this.#constant(`${conv.weight}:gated`, this.#element, (w) =>
          packConvGate(spec, exact(w, conv.weight), exact(w, gate.weight)),
        ),
        this.#constant(`${conv.weight}:gated biases`, this.#element, (w) =>
          packGateBias(spec, optional(w, conv.bias), optional(w, gate.bias)),
        ),
      ],
      writes: [this.#resource(last)],
      scale,
      grid: ({ width, height }) => convGateGrid(spec, width, height),
      params: mapParams,
      multiplyAdds,
      work: multiplyAdds + memoryWork(cIn / upsample ** 2 + cOut, scale),
    });
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
    const wanted = this.#conv(spec);
    const variant = (wanted.only ?? this.#element) === this.#element ? wanted : plainConv;
    const weights = this.#constant(node.weight, this.#element, (w) => {
      const packed = packConvWeights(exact(w, node.weight), cOut, cIn, kernel, channels);
      return (parts === null && variant.arrange?.(packed, spec)) || packed;
    });
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
    const dispatch = {
      name: this.#graph.nodes[last].name,
      writes: [this.#resource(last)],
      scale,
      multiplyAdds,
      work: multiplyAdds + memoryWork(cIn + cOut, scale),
    };
    // A binding that the uniforms switch off still needs a buffer: the input will do.
    if (parts === null) {
      this.#steps.push({
        ...dispatch,
        kernel: variant.kernel(spec, this.#element),
        reads: [
          resource(source),
          weights,
          biases,
          resource(multiplier ?? source),
          resource(addend ?? source),
        ],
        grid: ({ width, height }) => variant.grid(spec, width, height),
        params: ({ width, height }) => convParams(spec, width, height),
      });
      return;
    }
    this.#steps.push({
      ...dispatch,
      ...this.#otherOps().parts(this.#context, {
        ...{ spec, parts, channels, addend },
        weights: [weights, biases],
      }),
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
      writes: [this.#resource(last)],
      ...mapStep(channels, scale),
    });
  }

  #emitPoolPartial(from: NodeId, name: string): ResourceId {
    const { channels, scale } = this.#mapShape(from);
    const partials = this.#addResource(name, (size) =>
      poolPartialBytes(channels, pixelsOf(size) * scale ** 2),
    );
    this.#steps.push({
      name,
      kernel: poolPartialKernel(channels, this.#element),
      reads: [{ resource: this.#read(from) }],
      writes: [partials],
      scale,
      grid: (size) => poolPartialGrid(channels, pixelsOf(size)),
      params: poolParams,
      multiplyAdds: 0,
      work: memoryWork(channels, scale),
    });
    return partials;
  }

  #weight({ weight, cIn, cOut, kernel }: GraphNode & { op: 'conv' }): Operand {
    return this.#constant(weight, this.#element, (w) =>
      packConvWeights(exact(w, weight), cOut, cIn, kernel),
    );
  }

  #bias({ weight, bias, cOut }: GraphNode & { op: 'conv' }): Operand {
    return this.#constant(bias ?? `${weight}:no bias`, this.#element, (w) =>
      packBias(optional(w, bias), cOut),
    );
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
    return mapShape(this.#graph, id);
  }

  #resource(id: NodeId): ResourceId {
    const { name, shape } = this.#graph.nodes[id];
    const bytes =
      shape.kind === 'vector'
        ? () => blocksOf(shape.length) * 16
        : (size: Size) =>
            blocksOf(this.#mapShape(id).channels) *
            pixelsOf(size) *
            this.#mapShape(id).scale ** 2 *
            4 *
            ELEMENT_BYTES[this.#element];
    const resource = this.#addResource(name, bytes);
    this.#resourceOf.set(id, resource);
    return resource;
  }

  #addResource(name: string, bytes: (size: Size) => number, external = false): ResourceId {
    this.#resources.push({ name, bytes, external });
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

/** The shape of a node's feature map. */
export function mapShape({ nodes }: Graph, id: NodeId): MapShape {
  const { shape, name } = nodes[id];
  if (shape.kind !== 'map') throw new Error(`${name} is not a feature map`);
  return shape;
}

/** Of a step that reads and writes a map, an invocation per vector. */
export const mapStep = (channels: number, scale: number) => ({
  scale,
  grid: ({ width, height }: Size) => mapGrid(width, height, blocksOf(channels)),
  params: mapParams,
  multiplyAdds: 0,
  work: memoryWork(2 * channels, scale),
});

const mapParams = ({ width, height }: Size): number[] => [width, height];

export const poolParams = ({ width, height }: Size): number[] => [
  width * height,
  poolChunks(width * height),
];

/** Of the kernels that take `poolParams` and the partial sums first. */
export const poolSums = (channels: number): Sums => ({
  operand: 0,
  blocks: blocksOf(channels),
  count: 1,
  pixels: 0,
});

/** Multiply-adds that take about as long as moving `channels` values per pixel: a rough 8 each. */
const memoryWork = (channels: number, scale: number): number => 8 * channels * scale ** 2;

export function exact(weights: NetworkWeights, name: string): Float32Array<ArrayBuffer> {
  const data = weights.get(name);
  if (!data) throw new Error(`weight ${name} was not bound`);
  return data as Float32Array<ArrayBuffer>;
}

const optional = (
  weights: NetworkWeights,
  name: string | null,
): Float32Array<ArrayBuffer> | null => (name === null ? null : exact(weights, name));

/** The operand of a binary node that is not `id`. */
const other = (node: GraphNode, id: NodeId): NodeId =>
  node.inputs[0] === id ? node.inputs[1] : node.inputs[0];
