/**
 * A network as data: a list of named ops in topological order. Nothing here computes; the engine
 * lowers ops to GPU dispatches, the interpreter runs them with plain loops.
 *
 * Shapes are symbolic. A *feature map* has `channels` and a `scale`: for an LR image of W x H its
 * size is channels x (H * scale) x (W * scale). The scale is a whole number, or a power of 1/2
 * behind a pixel unshuffle, where W and H must be multiples (`sizeMultiple`). A *vector* has `length`
 * elements and no spatial extent (pooled statistics and what is computed from them).
 */

import type { NonlocalOp } from './nonlocalOp.ts';

export type Activation =
  | { readonly fn: 'leakyRelu'; readonly slope: number }
  | { readonly fn: 'relu' }
  | { readonly fn: 'sigmoid' }
  /** v * sigmoid(v) */
  | { readonly fn: 'silu' }
  /** sigmoid(v) - 0.5: odd, within -0.5 .. 0.5 */
  | { readonly fn: 'centredSigmoid' };

export interface MapShape {
  readonly kind: 'map';
  readonly channels: number;
  readonly scale: number;
}

export interface VectorShape {
  readonly kind: 'vector';
  readonly length: number;
}

/**
 * Numbers by position of the image rather than by pixel and channel: cluster codes, orders, attention
 * weights. Only the ops of `nonlocalOp.ts` make and read them.
 */
export interface TableShape {
  readonly kind: 'table';
  /** Row-major sizes for an LR image of so many pixels. */
  readonly dims: (pixels: number) => readonly number[];
  readonly integer: boolean;
}

export type Shape = MapShape | VectorShape | TableShape;

/** Index of a node in `Graph.nodes`. */
export type NodeId = number;

export type Op =
  /** The LR image, in the network's own range and channel order (RGB). */
  | { readonly op: 'input' }
  /** Zero-padded convolution of stride 1; weights oihw under `weight`, [cOut] under `bias`. */
  | {
      readonly op: 'conv';
      readonly kernel: 1 | 3;
      readonly cIn: number;
      readonly cOut: number;
      readonly weight: string;
      readonly bias: string | null;
    }
  /** Element by element, on a feature map or a vector. */
  | { readonly op: 'activation'; readonly activation: Activation }
  /** v >= 0 ? v : slope * v with a slope per channel; weights [channels] under `weight`. */
  | { readonly op: 'prelu'; readonly weight: string }
  /** scale[c] * x + shift[c] with constants of the definition: the shift by a data set's mean. */
  | {
      readonly op: 'affine';
      readonly scale: readonly number[];
      readonly shift: readonly number[];
    }
  /** Product of two feature maps of one shape, element by element. */
  | { readonly op: 'mul' }
  /** a + factor * b of two feature maps of one shape. */
  | { readonly op: 'add'; readonly factor: number }
  /** The channels of 2 to `MAX_PARTS` feature maps of one size, one after the other. */
  | { readonly op: 'concat' }
  /** Channel c * scale^2 + dy * scale + dx at (y, x) -> channel c at (y * scale + dy, x * scale + dx). */
  | { readonly op: 'pixelShuffle'; readonly scale: number }
  /** The inverse of `pixelShuffle`, in the same order of channels. */
  | { readonly op: 'pixelUnshuffle'; readonly scale: number }
  /** Mean over all pixels of each channel: map -> vector. */
  | { readonly op: 'globalAveragePool' }
  /** Matrix times vector without bias; weights [lengthOut, lengthIn] under `weight`. */
  | { readonly op: 'linear'; readonly weight: string; readonly lengthOut: number }
  /** softmax(v / temperature) of a vector. */
  | { readonly op: 'softmax'; readonly temperature: number }
  /** w[0] * a + w[1] * b for two maps of one shape and a vector of two elements. */
  | { readonly op: 'mix' }
  /** Nearest enlargement: output (i, j) takes input (floor(i / scale), floor(j / scale)). */
  | { readonly op: 'nearest'; readonly scale: number }
  /** Bilinear enlargement with half-pixel centres and clamped edges (align_corners false). */
  | { readonly op: 'bilinear'; readonly scale: number }
  /** Attention to far pixels: see `nonlocalOp.ts`. */
  | {
      readonly op: 'nonlocal';
      readonly spec: NonlocalOp;
      readonly multiplyAdds: number;
      /** True if each value depends on the whole image. */
      readonly global: boolean;
      /** Pixels on each side that it looks at beside that: Infinity where offsets are learned. */
      readonly reach: number;
    };

/** Maps that one concatenation may join: as many as a kernel can bind beside its other buffers. */
export const MAX_PARTS = 5;

export type GraphNode = Op & {
  /** Unique within the graph; golden tensors are found by it. */
  readonly name: string;
  readonly inputs: readonly NodeId[];
  readonly shape: Shape;
};

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly output: NodeId;
  /** Every weight that the ops name, with the shape that it must have. */
  readonly weights: readonly WeightSpec[];
}

/** A malformed network definition: a programmer's mistake, not bad user input. */
export class GraphError extends Error {
  override name = 'GraphError';
}

/**
 * Builds a graph op by op; each method appends a node and returns its id. Shapes are inferred at
 * once, so that a mistake is reported at the line that makes it (`GraphError`).
 */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #weights = new Map<string, readonly number[]>();
  readonly #names = new Set<string>();

  input(name: string, channels: number): NodeId {
    return this.append(name, { op: 'input' }, [], { kind: 'map', channels, scale: 1 });
  }

  /** `layer` is the checkpoint's name of the layer: `layer.weight` and, with `bias`, `layer.bias`. */
  conv(
    name: string,
    x: NodeId,
    spec: { layer: string; kernel: 1 | 3; cOut: number; bias: boolean; shared?: boolean },
  ): NodeId {
    const { channels: cIn, scale } = this.map(x);
    const { kernel, cOut, shared } = spec;
    const weight = this.weight(`${spec.layer}.weight`, [cOut, cIn, kernel, kernel], shared);
    const bias = spec.bias ? this.weight(`${spec.layer}.bias`, [cOut], shared) : null;
    return this.append(name, { op: 'conv', kernel, cIn, cOut, weight, bias }, [x], {
      kind: 'map',
      channels: cOut,
      scale,
    });
  }

  activation(name: string, x: NodeId, activation: Activation): NodeId {
    return this.append(name, { op: 'activation', activation }, [x], this.shape(x));
  }

  leakyRelu(name: string, x: NodeId, slope: number): NodeId {
    return this.activation(name, x, { fn: 'leakyRelu', slope });
  }

  relu(name: string, x: NodeId): NodeId {
    return this.activation(name, x, { fn: 'relu' });
  }

  sigmoid(name: string, x: NodeId): NodeId {
    return this.activation(name, x, { fn: 'sigmoid' });
  }

  /** `layer.weight` holds the slopes. */
  prelu(name: string, x: NodeId, layer: string): NodeId {
    const shape = this.map(x);
    const weight = this.weight(`${layer}.weight`, [shape.channels]);
    return this.append(name, { op: 'prelu', weight }, [x], shape);
  }

  affine(name: string, x: NodeId, scale: readonly number[], shift: readonly number[]): NodeId {
    const shape = this.map(x);
    if (scale.length !== shape.channels || shift.length !== shape.channels) {
      throw new GraphError(`${name}: ${scale.length} factors for ${shape.channels} channels`);
    }
    return this.append(name, { op: 'affine', scale, shift }, [x], shape);
  }

  mul(name: string, a: NodeId, b: NodeId): NodeId {
    return this.append(name, { op: 'mul' }, [a, b], this.#same(name, a, b));
  }

  /** a + factor * b */
  add(name: string, a: NodeId, b: NodeId, factor = 1): NodeId {
    return this.append(name, { op: 'add', factor }, [a, b], this.#same(name, a, b));
  }

  concat(name: string, parts: readonly NodeId[]): NodeId {
    const shapes = parts.map((part) => this.map(part));
    const [first] = shapes;
    if (first === undefined || parts.length < 2 || parts.length > MAX_PARTS) {
      throw new GraphError(`${name}: ${parts.length} maps to join; 2 to ${MAX_PARTS} can be`);
    }
    if (shapes.some(({ scale }) => scale !== first.scale)) {
      throw new GraphError(`${name}: maps of different sizes cannot be joined`);
    }
    const channels = shapes.reduce((sum, shape) => sum + shape.channels, 0);
    return this.append(name, { op: 'concat' }, [...parts], { ...first, channels });
  }

  pixelShuffle(name: string, x: NodeId, scale: number): NodeId {
    const shape = this.map(x);
    const channels = shape.channels / scale ** 2;
    if (!Number.isInteger(scale) || scale < 1 || !Number.isInteger(channels)) {
      throw new GraphError(`${name}: ${shape.channels} channels cannot be shuffled by ${scale}`);
    }
    return this.append(name, { op: 'pixelShuffle', scale }, [x], {
      ...{ kind: 'map', channels, scale: shape.scale * scale },
    });
  }

  /** `scale` is a power of two, so that the map's scale stays an exact number. */
  pixelUnshuffle(name: string, x: NodeId, scale: number): NodeId {
    const shape = this.map(x);
    if (!Number.isInteger(Math.log2(scale)) || scale < 1) {
      throw new GraphError(`${name}: unshuffled by ${scale}, which is no power of two`);
    }
    return this.append(name, { op: 'pixelUnshuffle', scale }, [x], {
      ...{ kind: 'map', channels: shape.channels * scale ** 2, scale: shape.scale / scale },
    });
  }

  globalAveragePool(name: string, x: NodeId): NodeId {
    return this.append(name, { op: 'globalAveragePool' }, [x], {
      kind: 'vector',
      length: this.map(x).channels,
    });
  }

  linear(name: string, x: NodeId, spec: { layer: string; lengthOut: number }): NodeId {
    const { lengthOut } = spec;
    const weight = this.weight(`${spec.layer}.weight`, [lengthOut, this.#vector(x).length]);
    return this.append(name, { op: 'linear', weight, lengthOut }, [x], {
      kind: 'vector',
      length: lengthOut,
    });
  }

  softmax(name: string, x: NodeId, temperature: number): NodeId {
    return this.append(name, { op: 'softmax', temperature }, [x], this.#vector(x));
  }

  mix(name: string, a: NodeId, b: NodeId, weights: NodeId): NodeId {
    const shape = this.#same(name, a, b);
    if (this.#vector(weights).length !== 2) {
      throw new GraphError(`${name}: a mix takes a vector of two weights`);
    }
    return this.append(name, { op: 'mix' }, [a, b, weights], shape);
  }

  nearest(name: string, x: NodeId, scale: number): NodeId {
    return this.#enlarge(name, 'nearest', x, scale);
  }

  bilinear(name: string, x: NodeId, scale: number): NodeId {
    return this.#enlarge(name, 'bilinear', x, scale);
  }

  build(output: NodeId): Graph {
    this.map(output);
    return {
      nodes: this.#nodes,
      output,
      weights: [...this.#weights].map(([name, shape]) => ({ name, shape })),
    };
  }

  node(id: NodeId): GraphNode {
    const node = this.#nodes[id];
    if (!node) throw new GraphError(`no node ${id}`);
    return node;
  }

  shape(id: NodeId): Shape {
    return this.node(id).shape;
  }

  map(id: NodeId): MapShape {
    const shape = this.shape(id);
    if (shape.kind !== 'map')
      throw new GraphError(`node ${id} is a ${shape.kind}, not a feature map`);
    return shape;
  }

  #vector(id: NodeId): VectorShape {
    const shape = this.shape(id);
    if (shape.kind !== 'vector')
      throw new GraphError(`node ${id} is a ${shape.kind}, not a vector`);
    return shape;
  }

  #same(name: string, a: NodeId, b: NodeId): MapShape {
    const [sa, sb] = [this.map(a), this.map(b)];
    if (sa.channels !== sb.channels || sa.scale !== sb.scale) {
      throw new GraphError(
        `${name}: ${sa.channels} channels at x${sa.scale} against ${sb.channels} at x${sb.scale}`,
      );
    }
    return sa;
  }

  #enlarge(name: string, op: 'nearest' | 'bilinear', x: NodeId, scale: number): NodeId {
    if (!Number.isInteger(scale) || scale < 1) throw new GraphError(`${name}: scale ${scale}`);
    const shape = this.map(x);
    return this.append(name, { op, scale }, [x], { ...shape, scale: shape.scale * scale });
  }

  /** Declares a weight; a `shared` one may be declared again, by several layers that share it. */
  weight(name: string, shape: readonly number[], shared = false): string {
    if (this.#weights.has(name) && !shared) throw new GraphError(`weight ${name} is used twice`);
    this.#weights.set(name, shape);
    return name;
  }

  /** Appends a node of any op; the methods above check what they append. */
  append(name: string, op: Op, inputs: readonly NodeId[], shape: Shape): NodeId {
    if (this.#names.has(name)) throw new GraphError(`node name ${name} is used twice`);
    this.#names.add(name);
    this.#nodes.push({ ...op, name, inputs, shape });
    return this.#nodes.length - 1;
  }
}
