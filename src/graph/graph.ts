/**
 * Represents a network as data: a list of named ops in topological order. This file computes
 * nothing. The engine lowers ops to GPU dispatches, and the interpreter runs them as plain loops.
 *
 * Shapes are symbolic. A *feature map* has `channels` and a `scale`. For an LR image of width `W`
 * and height `H`, the map is [channels][H * scale][W * scale]. The scale is a whole number or,
 * after a pixel unshuffle, a fraction such as 1/2 or 1/4. `W` and `H` must be multiples of
 * `sizeMultiple`. A *vector* has `length` elements and no spatial extent. Pooled statistics and all
 * values computed from them are vectors.
 */

import { type Activation, type Op, opRules, type Padding } from './ops.ts';
import { GraphError, isReduced, type MapShape, mapOf, type Shape, vectorOf } from './shape.ts';

export { type Activation, MAX_PARTS, type Op } from './ops.ts';
export {
  GraphError,
  type MapShape,
  type Shape,
  type TableShape,
  type VectorShape,
} from './shape.ts';

/** The index of a node in `Graph.nodes`. */
export type NodeId = number;

export type GraphNode = Op & {
  /** A name that is unique within the graph. The node's reference tensor in tests has this name. */
  readonly name: string;
  readonly inputs: readonly NodeId[];
  readonly shape: Shape;
  /** The number of multiply-adds per LR pixel. */
  readonly multiplyAdds: number;
};

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly output: NodeId;
  /** Every weight that an op refers to, with its required shape. */
  readonly weights: readonly WeightSpec[];
}

/**
 * Builds a graph op by op. Each common op has a method that appends a node and returns its id.
 * Other builders, such as `TransformerBuilder`, have the methods for the other ops. Shapes are
 * inferred immediately, so a `GraphError` is thrown at the line that contains the mistake.
 */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #weights = new Map<string, readonly number[]>();
  readonly #names = new Set<string>();

  input(name: string, channels: number, padding?: Padding): NodeId {
    return this.append(name, { op: 'input', channels, ...(padding && { padding }) }, []);
  }

  /**
   * Appends a convolution. `layer` is the layer's name. The checkpoint contains `layer.weight` and,
   * if `bias` is true, `layer.bias`.
   */
  conv(
    name: string,
    x: NodeId,
    spec: {
      layer: string;
      kernel: 1 | 3;
      cOut: number;
      bias: boolean;
      shared?: boolean;
      /**
       * Whether this is a linear layer that is applied to each pixel. Its weights then have the
       * shape [cOut, cIn].
       */
      linear?: boolean;
    },
  ): NodeId {
    const { channels: cIn } = this.map(x);
    const { kernel, cOut, shared, linear } = spec;
    const taps = linear ? [] : [kernel, kernel];
    const layer = this.layer(spec.layer, [cOut, cIn, ...taps], spec.bias, shared);
    return this.append(name, { op: 'conv', kernel, cIn, cOut, ...layer }, [x]);
  }

  activation(name: string, x: NodeId, activation: Activation): NodeId {
    return this.append(name, { op: 'activation', activation }, [x]);
  }

  leakyRelu(name: string, x: NodeId, slope: number): NodeId {
    return this.activation(name, x, { fn: 'leakyRelu', slope });
  }

  relu(name: string, x: NodeId): NodeId {
    return this.activation(name, x, { fn: 'relu' });
  }

  gelu(name: string, x: NodeId): NodeId {
    return this.activation(name, x, { fn: 'gelu' });
  }

  sigmoid(name: string, x: NodeId): NodeId {
    return this.activation(name, x, { fn: 'sigmoid' });
  }

  /** Appends a PReLU. `layer.weight` contains the slopes. */
  prelu(name: string, x: NodeId, layer: string): NodeId {
    const weight = this.weight(`${layer}.weight`, [this.map(x).channels]);
    return this.append(name, { op: 'prelu', weight }, [x]);
  }

  affine(name: string, x: NodeId, scale: readonly number[], shift: readonly number[]): NodeId {
    return this.append(name, { op: 'affine', scale, shift }, [x]);
  }

  mul(name: string, a: NodeId, b: NodeId): NodeId {
    return this.append(name, { op: 'mul' }, [a, b]);
  }

  /** Appends `a + factor * b`. */
  add(name: string, a: NodeId, b: NodeId, factor = 1): NodeId {
    return this.append(name, { op: 'add', factor }, [a, b]);
  }

  concat(name: string, parts: readonly NodeId[]): NodeId {
    return this.append(name, { op: 'concat' }, [...parts]);
  }

  pixelShuffle(name: string, x: NodeId, scale: number): NodeId {
    return this.append(name, { op: 'pixelShuffle', scale }, [x]);
  }

  globalAveragePool(name: string, x: NodeId): NodeId {
    return this.append(name, { op: 'globalAveragePool' }, [x]);
  }

  linear(
    name: string,
    x: NodeId,
    spec: {
      layer: string;
      lengthOut: number;
      bias?: boolean;
      /**
       * Whether this is a 1x1 convolution of a pooled map. Its weights then have the shape
       * [lengthOut, lengthIn, 1, 1].
       */
      conv?: boolean;
    },
  ): NodeId {
    const { lengthOut, bias = false } = spec;
    const { length } = vectorOf(this.shape(x), name);
    const taps = spec.conv ? [1, 1] : [];
    const layer = this.layer(spec.layer, [lengthOut, length, ...taps], bias);
    return this.append(name, { op: 'linear', ...layer, lengthOut }, [x]);
  }

  softmax(name: string, x: NodeId, temperature: number): NodeId {
    return this.append(name, { op: 'softmax', temperature }, [x]);
  }

  mix(name: string, a: NodeId, b: NodeId, weights: NodeId): NodeId {
    return this.append(name, { op: 'mix' }, [a, b, weights]);
  }

  nearest(name: string, x: NodeId, scale: number): NodeId {
    return this.append(name, { op: 'nearest', scale }, [x]);
  }

  bilinear(name: string, x: NodeId, scale: number): NodeId {
    return this.append(name, { op: 'bilinear', scale }, [x]);
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
    return mapOf(this.shape(id), this.node(id).name);
  }

  /**
   * Declares a weight. If several layers use the same weight, each of them declares it with
   * `shared` set to true.
   */
  weight(name: string, shape: readonly number[], shared = false): string {
    if (this.#weights.has(name) && !shared) throw new GraphError(`weight ${name} is used twice`);
    this.#weights.set(name, shape);
    return name;
  }

  /**
   * Declares `layer.weight` and, if `hasBias` is true, `layer.bias`. The length of the bias is the
   * first dimension of the weight.
   */
  layer<Bias extends boolean>(
    layer: string,
    shape: readonly number[],
    hasBias: Bias,
    shared = false,
  ) {
    const weight = this.weight(`${layer}.weight`, shape, shared);
    const bias = hasBias ? this.weight(`${layer}.bias`, shape.slice(0, 1), shared) : null;
    return { weight, bias: bias as Bias extends true ? string : string | null };
  }

  /** Appends a node with any op. The shape and the cost come from the op's rules (`opRules`). */
  append(name: string, op: Op, inputs: readonly NodeId[]): NodeId {
    if (this.#names.has(name)) throw new GraphError(`node name ${name} is used twice`);
    const shapes = inputs.map((id) => this.shape(id));
    const rules = opRules(op);
    if (!rules.readsReduced && shapes.some(isReduced)) {
      throw new GraphError(`${name}: ${op.op} cannot be applied to a reduced map`);
    }
    const shape = rules.shape(op, shapes, name);
    const multiplyAdds = rules.multiplyAdds(op, shape, shapes);
    this.#names.add(name);
    this.#nodes.push({ ...op, name, inputs, shape, multiplyAdds });
    return this.#nodes.length - 1;
  }
}
