import { internal } from '../../../errors.ts';
import { pixelsOf, type Size } from '../../../geometry.ts';
import type { Graph, MapShape, NodeId } from '../../../graph/graph.ts';
import { mapSize, type Reduction } from '../../../graph/shape.ts';
import { type ConvChoice, plainConv } from '../../../kernels/conv/conv.ts';
import {
  blocksOf,
  DEFAULT_WORKGROUP_LIMITS,
  ELEMENT_BYTES,
  type ElementType,
  type Kernel,
  type MAP_WORDS,
  mapGrid,
  type Params,
  type TileColumns,
  tileColumnsFor,
  type WorkgroupLimits,
} from '../../../kernels/kernel.ts';
import { bytesPerPixel, type PixelFormat } from '../../../kernels/pixels/rgba8.ts';
import {
  poolChunks,
  poolPartialBytes,
  poolPartialGrid,
  poolPartialKernel,
} from '../../../kernels/vector/pool.ts';
import { type FusedGraph, type FusedOp, type FusedOpOf, mapShape, type ValueId } from '../fused.ts';
import type {
  ConstantSpec,
  ImageResources,
  Operand,
  Program,
  Resource,
  ResourceId,
  Step,
  Stored,
  TileView,
} from '../program.ts';
import type { NetworkWeights } from '../weights.ts';

/** Appends the dispatches of a fused op to an emission. */
export type Emitter<K extends FusedOp['op']> = (op: FusedOpOf<K>) => void;

/**
 * Creates the emitters for a group of ops. It is called once for each emission, because emitters
 * can have state.
 */
export type EmitterGroup<K extends FusedOp['op']> = (emission: Emission) => {
  readonly [Op in K]: Emitter<Op>;
};

/** The options of an emission. Most of them depend on the device and its tuning. */
export interface EmitOptions {
  readonly element?: ElementType;
  /** The device's workgroup limits. The default is the minimum that every device supports. */
  readonly workgroup?: WorkgroupLimits | undefined;
  /** Chooses a variant for each convolution. By default, all convolutions use `plainConv`. */
  readonly conv?: ConvChoice | undefined;
  /**
   * If given, the program converts the LR image's pixels to the network's input, whose values are
   * from 0 to `range`. It also converts the network's output to pixels.
   */
  readonly image?: Pick<PixelFormat, 'range' | 'wide'> | undefined;
  /**
   * If the size of an op's attention weights exceeds this number of bytes, they are not all kept in
   * memory (see `planSlabs`). By default, there is no limit.
   */
  readonly attentionBytes?: number | undefined;
  /**
   * Whether kernels can use subgroup quads, whose lanes load data together (see
   * kernels/nonlocal/nonlocalQuad.ts and kernels/transformer/merged.ts). The default is false.
   */
  readonly quads?: boolean | undefined;
}

/** The defaults are 1 for `scale`, 0 for `multiplyAdds`, and `multiplyAdds` for `work`. */
type Defaulted = 'scale' | 'multiplyAdds' | 'work';

/** A step that identifies its operands by their names in the kernel. */
export interface Dispatch<R extends string, W extends string, P extends string>
  extends Omit<Step, 'kernel' | 'reads' | 'writes' | 'params' | 'sums' | Defaulted>,
    Partial<Pick<Step, Defaulted>> {
  readonly kernel: Kernel<R, W, P>;
  readonly reads: Readonly<Record<NoInfer<R>, Operand>>;
  readonly writes: Readonly<Record<NoInfer<W>, ResourceId>>;
  readonly params: (size: Size, tile: TileView) => Params<NoInfer<P>>;
  /**
   * If given, the step works on a map that these reductions have made smaller than the tile. `grid`
   * and `params` are called with the reduced size.
   */
  readonly reduced?: readonly Reduction[] | undefined;
  readonly sums?: {
    readonly operand: NoInfer<R>;
    readonly blocks: number;
    readonly count: Exclude<NoInfer<P>, 'group_row'>;
    readonly pixels: Exclude<NoInfer<P>, 'group_row'>;
  };
}

/**
 * Sums of a map's values, with a separate sum for each part of the map. `count` returns the number
 * of parts for a map of a given size.
 */
export interface PartialSums {
  /**
   * The resource that holds the sums as an array [count][blocks] of vec4f. The sums are f32 even if
   * maps are f16.
   */
  readonly partials: ResourceId;
  readonly count: (size: Size) => number;
}

/** A program under construction. */
export class Emission {
  readonly graph: Graph;
  /** Nodes whose values must be written to memory. */
  readonly keep: ReadonlySet<NodeId>;
  readonly element: ElementType;
  readonly workgroup: WorkgroupLimits;
  readonly conv: ConvChoice;
  readonly attentionBytes: number;
  readonly quads: boolean;
  readonly steps: Step[] = [];
  readonly #pixels: EmitOptions['image'];
  readonly #image: ImageResources | null;
  readonly #inputs: readonly ValueId[];
  readonly #resources: Resource[] = [];
  readonly #resourceOf = new Map<ValueId, ResourceId>();
  readonly #parts = new Map<ValueId, Stored>();
  readonly #constants = new Map<string, ConstantSpec>();
  readonly #sums = new Map<ValueId, PartialSums>();
  readonly #pooled: ReadonlySet<ValueId>;

  constructor({ graph, inputs, ops }: FusedGraph, keep: ReadonlySet<NodeId>, options: EmitOptions) {
    this.graph = graph;
    this.keep = keep;
    this.element = options.element ?? 'f32';
    this.workgroup = options.workgroup ?? DEFAULT_WORKGROUP_LIMITS;
    this.conv = options.conv ?? (() => plainConv);
    this.attentionBytes = options.attentionBytes ?? Number.POSITIVE_INFINITY;
    this.quads = options.quads ?? false;
    this.#pixels = options.image;
    this.#image = options.image ? this.#imageResources(options.image.wide) : null;
    this.#inputs = inputs;
    this.#pooled = new Set(ops.flatMap((op) => (op.op === 'dynamicWeights' ? [op.reads.x] : [])));
    for (const id of inputs) this.write(id);
  }

  program(): Program {
    return {
      element: this.element,
      resources: this.#resources,
      steps: this.steps,
      constants: this.#constants,
      input: this.read(this.#inputs[0]).resource,
      resourceOf: this.#resourceOf,
      image: this.#image,
    };
  }

  /** Returns the location of a value that has been written. */
  read(id: ValueId): Stored {
    const resource = this.#resourceOf.get(id);
    if (resource !== undefined) return { resource };
    const part = this.#parts.get(id);
    if (!part) throw internal(`${this.name(id)} is read before it is written`);
    return part;
  }

  /**
   * Records that a map is stored in a resource, starting at block `first`. If `part` is given,
   * `first` is counted from the start of that part.
   */
  place(id: ValueId, { resource, part }: Stored, first: number): void {
    const { channels } = this.map(id);
    const bytes = this.mapBytes({ ...this.map(id), channels: 1 });
    const own = { first: (part?.first ?? 0) + first, blocks: blocksOf(channels), bytes };
    this.#parts.set(id, { resource, part: own });
  }

  /** Creates the resource for a feature map or a vector. */
  write(id: ValueId): ResourceId {
    const { name, shape } = this.graph.nodes[id];
    if (shape.kind === 'table') throw internal(`${name} has no layout of its own`);
    const bytes =
      shape.kind === 'vector' ? () => blocksOf(shape.length) * 16 : this.mapBytes(shape);
    return this.assign(id, this.scratch(name, bytes));
  }

  /** Returns a function that computes the size of a map in bytes from the tile's size. */
  mapBytes(shape: MapShape): (size: Size) => number {
    const perPixel = blocksOf(shape.channels) * 4 * ELEMENT_BYTES[this.element];
    return (size) => perPixel * pixelsOf(mapSize(shape, size));
  }

  /** Sets the resource that holds a value. */
  assign(id: ValueId, resource: ResourceId): ResourceId {
    this.#resourceOf.set(id, resource);
    return resource;
  }

  /**
   * Creates a resource without assigning a value of the graph to it, for example for intermediate
   * results.
   */
  scratch(name: string, bytes: (size: Size) => number, external = false): ResourceId {
    this.#resources.push({ name, bytes, external });
    return this.#resources.length - 1;
  }

  /**
   * Registers weights and the function `pack`, which converts them to the layout that a kernel
   * reads.
   * @param packing identifies this layout; the same weights in the same layout are uploaded once
   */
  constant(
    packing: string,
    weights: readonly (string | null)[],
    element: ElementType,
    pack: (weights: NetworkWeights) => Float32Array<ArrayBuffer>,
  ): Operand {
    const key = `${weights.map((name) => name ?? '').join(',')} as ${packing}`;
    this.#constants.set(key, { pack, element });
    return { constant: key };
  }

  /** Registers a weight that a kernel reads as it is, in f32. */
  plain(weight: string): Operand {
    return this.constant('f32', [weight], 'f32', (w) => exact(w, weight));
  }

  name(id: NodeId): string {
    return this.graph.nodes[id].name;
  }

  map(id: NodeId): MapShape {
    return mapShape(this.graph, id);
  }

  /** Returns a function that computes a map's size from its size without reductions. */
  reducedSize(id: NodeId): (size: Size) => Size {
    const { reduced = [] } = this.map(id);
    return (size) => mapSize({ scale: 1, reduced }, size);
  }

  /**
   * Returns the number of pixel columns per workgroup, for kernels whose workgroups compute all
   * channels of each pixel.
   */
  tileColumns(channels: number): TileColumns {
    const rows = tileColumnsFor(channels, this.workgroup);
    if (!rows) throw internal(`a tile of ${channels} channels does not fit a workgroup`);
    return rows;
  }

  /** Returns the resources for the pixels of the LR image and of the result. */
  image(): ImageResources {
    if (!this.#image) throw internal('the program converts no pixels');
    return this.#image;
  }

  /** Returns the pixel format of a map that is converted from or to pixels. */
  format(id: ValueId): PixelFormat {
    return { range: 1, ...this.#pixels, channels: this.map(id).channels };
  }

  /** Appends a dispatch. The kernel's operands and parameters are given by name. */
  dispatch<R extends string, W extends string, P extends string>({
    kernel,
    reads,
    writes,
    sums,
    reduced = [],
    scale = 1,
    multiplyAdds = 0,
    work = multiplyAdds,
    ...step
  }: Dispatch<R, W, P>): void {
    const of = (size: Size) => mapSize({ scale: 1, reduced }, size);
    this.steps.push({
      ...step,
      scale,
      multiplyAdds,
      work,
      grid: (size, tile) => step.grid(of(size), tile),
      params: (size, tile) => step.params(of(size), tile),
      kernel,
      reads: kernel.reads.map((name) => reads[name]),
      writes: kernel.writes.map((name) => writes[name]),
      ...(sums ? { sums: { ...sums, operand: kernel.reads.indexOf(sums.operand) } } : {}),
    });
  }

  /** Whether the op that computes a map should also compute the map's sums. */
  pools(id: ValueId): boolean {
    return this.#pooled.has(id);
  }

  /** Records the sums that an op computes together with a map. `sumsOf` then returns them. */
  summed(id: ValueId, sums: PartialSums): void {
    this.#sums.set(id, sums);
  }

  /**
   * Returns the sums over parts of a map. If no op computed them together with the map, this
   * function appends a step that computes them.
   */
  sumsOf(id: ValueId, name: string): PartialSums {
    return (
      this.#sums.get(id) ?? {
        partials: this.poolPartial(id, name),
        count: (size) => poolChunks(pixelsOf(size)),
      }
    );
  }

  /**
   * Appends the first stage of a pooling op. This stage sums the values in each part of a map, or
   * their squares if `squares` is true. Returns the resource that holds the sums.
   */
  poolPartial(from: ValueId, name: string, squares = false): ResourceId {
    const { channels, scale } = this.map(from);
    const partials = this.scratch(name, (size) =>
      poolPartialBytes(channels, pixelsOf(size) * scale ** 2),
    );
    this.dispatch({
      name,
      kernel: poolPartialKernel(channels, this.element, squares),
      reads: { x: this.read(from) },
      writes: { partials },
      scale,
      grid: (size) => poolPartialGrid(channels, pixelsOf(size)),
      params: poolParams,
      work: memoryWork(channels, scale),
    });
    return partials;
  }

  #imageResources(wide = false): ImageResources {
    const { scale } = this.map(this.graph.output);
    const pixelBytes = bytesPerPixel(wide);
    return {
      pixelBytes,
      source: this.scratch('image', (size) => pixelsOf(size) * pixelBytes, true),
      packed: this.scratch('packed', (size) => pixelsOf(size) * scale ** 2 * pixelBytes),
      status: this.scratch('status', () => 8, true),
    };
  }
}

/**
 * Estimates the cost of reading and writing values: 8 multiply-adds for each value. `channels` is
 * the number of values per pixel.
 */
export const memoryWork = (channels: number, scale: number): number => 8 * channels * scale ** 2;

export const mapParams = ({ width, height }: Size) => ({ width, height });

type MapWriter = Pick<FusedOp, 'name' | 'multiplyAdds'> & {
  readonly writes: { readonly y: ValueId };
};

/**
 * Creates the resource for an op's output map. Returns default properties for the step that writes
 * the map. By default, each invocation computes one vec4.
 */
export function writesMap(emission: Emission, { name, writes, multiplyAdds }: MapWriter) {
  const { channels, scale, reduced } = emission.map(writes.y);
  return {
    name,
    scale,
    reduced,
    grid: ({ width, height }: Size) => mapGrid(width, height, blocksOf(channels)),
    params: mapParams,
    writes: { y: emission.write(writes.y) },
    multiplyAdds,
    work: memoryWork(2 * channels, scale),
  };
}

/** Appends a step that writes an op's output map, with the properties that `writesMap` returns. */
export const emitMap = <R extends string>(
  emission: Emission,
  op: MapWriter,
  kernel: Kernel<R, 'y', keyof typeof MAP_WORDS>,
  reads: Readonly<Record<NoInfer<R>, Operand>>,
): void => emission.dispatch({ ...writesMap(emission, op), kernel, reads });

export const poolParams = (size: Size) => ({
  pixels: pixelsOf(size),
  chunks: poolChunks(pixelsOf(size)),
});

/**
 * Returns the value of `Dispatch.sums` for a step that computes the result of a pooling op from
 * partial sums. The step's kernel must read `partials` and take the parameters that `poolParams`
 * returns.
 */
export const poolSums = (channels: number) =>
  ({ operand: 'partials', blocks: blocksOf(channels), count: 'chunks', pixels: 'pixels' }) as const;

export function exact(weights: NetworkWeights, name: string): Float32Array<ArrayBuffer> {
  const data = weights.get(name);
  if (!data) throw internal(`weight ${name} was not bound`);
  return data as Float32Array<ArrayBuffer>;
}

export const optional = (
  weights: NetworkWeights,
  name: string | null,
): Float32Array<ArrayBuffer> | null => (name === null ? null : exact(weights, name));
