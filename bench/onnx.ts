/**
 * Writes a network and its weights as an ONNX file, so other runtimes can run exactly the same
 * network. Only a few of the format's messages (onnx.proto3) are needed, and this module encodes
 * them itself.
 */
import type { Activation, Graph, GraphNode, NodeId } from '../src/graph/graph.ts';
import type { Network } from '../src/networks/network.ts';
import { toFloat32 } from '../src/weights/convert.ts';
import type { TensorMap } from '../src/weights/tensor.ts';

/** All recent runtimes can read opset 17 and IR version 8. */
const OPSET = 17;
const IR_VERSION = 8;

export const ONNX_INPUT = 'input';
export const ONNX_OUTPUT = 'output';

/**
 * Returns the network as a ModelProto. The input is [1, C, height, width], and the output is [1, C,
 * SR height, SR width]. Both are in the network's own range. Height and width are dynamic.
 */
export function writeOnnx(network: Network, weights: TensorMap): Uint8Array<ArrayBuffer> {
  return new OnnxWriter(network, weights).model();
}

type Attribute = number | string | readonly number[] | { readonly float: number };

/**
 * Writes a graph. Values are named after their nodes' ids. The message types are those of
 * onnx.proto3.
 */
class OnnxWriter {
  readonly #graph: Graph;
  readonly #network: Network;
  readonly #weights: TensorMap;
  readonly #nodes: Message[] = [];
  readonly #initializers = new Map<string, Message>();

  constructor(network: Network, weights: TensorMap) {
    this.#network = network;
    this.#graph = network.graph;
    this.#weights = weights;
  }

  model(): Uint8Array<ArrayBuffer> {
    const { nodes, output } = this.#graph;
    for (const [id, node] of nodes.entries()) this.#append(node, id);
    const input = nodes.findIndex(({ op }) => op === 'input');
    const graph = new Message();
    for (const node of this.#nodes) graph.message(1, node);
    graph.text(2, this.#network.architecture);
    for (const initializer of this.#initializers.values()) graph.message(5, initializer);
    graph.message(11, mapInfo(this.#value(input), this.#channels(input), ['height', 'width']));
    const sizes = ['SR height', 'SR width'];
    graph.message(12, mapInfo(this.#value(output), this.#channels(output), sizes));
    return new Message()
      .int(1, IR_VERSION)
      .text(2, 'crispen')
      .message(7, graph)
      .message(8, new Message().text(1, '').int(2, OPSET))
      .bytes();
  }

  #append(node: GraphNode, id: NodeId): void {
    const to = this.#value(id);
    const [a = '', b = '', c = ''] = node.inputs.map((from) => this.#value(from));
    switch (node.op) {
      case 'input':
        return;
      case 'conv': {
        const { kernel, weight, bias } = node;
        const inputs = [a, this.#weight(weight), ...(bias === null ? [] : [this.#weight(bias)])];
        this.#node('Conv', inputs, to, {
          kernel_shape: [kernel, kernel],
          pads: Array(4).fill(kernel >> 1),
        });
        return;
      }
      case 'activation':
        this.#activation(node.activation, a, to);
        return;
      case 'prelu':
        this.#node('PRelu', [a, this.#weight(node.weight, [-1, 1, 1])], to);
        return;
      case 'affine': {
        const shape = [node.scale.length, 1, 1];
        const scaled = this.#node('Mul', [a, this.#floats(`${to}:scale`, shape, node.scale)]);
        this.#node('Add', [scaled, this.#floats(`${to}:shift`, shape, node.shift)], to);
        return;
      }
      case 'mul':
        this.#node('Mul', [a, b], to);
        return;
      case 'add':
        this.#node('Add', [a, node.factor === 1 ? b : this.#times(b, node.factor)], to);
        return;
      case 'concat':
        this.#node(
          'Concat',
          node.inputs.map((from) => this.#value(from)),
          to,
          { axis: 1 },
        );
        return;
      case 'pixelShuffle':
        this.#node('DepthToSpace', [a], to, { blocksize: node.scale, mode: 'CRD' });
        return;
      case 'pixelUnshuffle': {
        // SpaceToDepth puts the position within the cell before the channel, but PyTorch puts it
        // after.
        const channels = this.#channels(node.inputs[0]);
        const cell = node.scale ** 2;
        const order = Array.from({ length: channels * cell }, (_, i) => {
          return (i % cell) * channels + Math.floor(i / cell);
        });
        const cells = this.#node('SpaceToDepth', [a], undefined, { blocksize: node.scale });
        const indices = this.#integers(`${to}:order`, order);
        this.#node('Gather', [cells, indices], to, { axis: 1 });
        return;
      }
      case 'globalAveragePool':
        this.#node('Flatten', [this.#node('GlobalAveragePool', [a])], to);
        return;
      case 'linear': {
        const layer = [node.weight, ...(node.bias === null ? [] : [node.bias])];
        this.#node('Gemm', [a, ...layer.map((name) => this.#weight(name))], to, { transB: 1 });
        return;
      }
      case 'softmax':
        this.#node('Softmax', [this.#times(a, 1 / node.temperature)], to, { axis: 1 });
        return;
      case 'mix': {
        const weighted = [a, b].map((map, i) => {
          const bounds = [i, i + 1, 1].map((at) => this.#integers(`:at ${at}`, [at]));
          return this.#node('Mul', [map, this.#node('Slice', [c, ...bounds])]);
        });
        this.#node('Add', weighted, to);
        return;
      }
      case 'nearest':
        this.#resize(node.scale, a, to, {
          mode: 'nearest',
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'floor',
        });
        return;
      case 'bilinear':
        this.#resize(node.scale, a, to, {
          mode: 'linear',
          coordinate_transformation_mode: 'half_pixel',
        });
        return;
      default:
        throw new Error(`${node.name}: ${node.op} is not written as ONNX`);
    }
  }

  #activation(activation: Activation, from: string, to: string): void {
    switch (activation.fn) {
      case 'leakyRelu':
        this.#node('LeakyRelu', [from], to, { alpha: { float: activation.slope } });
        return;
      case 'relu':
        this.#node('Relu', [from], to);
        return;
      case 'sigmoid':
        this.#node('Sigmoid', [from], to);
        return;
      case 'silu':
        this.#node('Mul', [from, this.#node('Sigmoid', [from])], to);
        return;
      case 'gelu': {
        const inner = this.#node('Erf', [this.#times(from, Math.SQRT1_2)]);
        const one = this.#floats(':one', [], [1]);
        const factor = this.#node('Add', [inner, one]);
        this.#node('Mul', [this.#times(from, 0.5), factor], to);
        return;
      }
      case 'mish':
        this.#node('Mul', [from, this.#node('Tanh', [this.#node('Softplus', [from])])], to);
        return;
      case 'centredSigmoid': {
        const half = this.#floats(':half', [], [0.5]);
        this.#node('Sub', [this.#node('Sigmoid', [from]), half], to);
        return;
      }
      default:
        throw new Error(`The activation ${(activation as Activation).fn} is not written as ONNX.`);
    }
  }

  #times(from: string, factor: number): string {
    return this.#node('Mul', [from, this.#floats(`:times ${factor}`, [], [factor])]);
  }

  #resize(scale: number, from: string, to: string, attributes: Record<string, string>): void {
    const scales = this.#floats(`:scales ${scale}`, [4], [1, 1, scale, scale]);
    this.#node('Resize', [from, '', scales], to, attributes);
  }

  /** Appends a node and returns its value's name. */
  #node(
    type: string,
    inputs: readonly string[],
    to = `:${this.#nodes.length}`,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const node = new Message();
    for (const input of inputs) node.text(1, input);
    node.text(2, to).text(3, `${type}${this.#nodes.length}`).text(4, type);
    for (const [name, value] of Object.entries(attributes)) {
      node.message(5, attribute(name, value));
    }
    this.#nodes.push(node);
    return to;
  }

  /**
   * Appends a weight with its shape in the file, or with another shape of the same size (one
   * dimension can be -1).
   */
  #weight(name: string, shape?: readonly number[]): string {
    const tensor = this.#weights.get(name);
    if (!tensor) throw new Error(`The weights lack ${name}.`);
    const values = toFloat32(tensor);
    const known = shape?.reduce((product, size) => product * Math.abs(size), 1);
    const dims = shape?.map((size) => (size < 0 ? values.length / (known ?? 1) : size));
    return this.#floats(name, dims ?? tensor.shape, values);
  }

  #floats(name: string, shape: readonly number[], values: ArrayLike<number>): string {
    return this.#initializer(name, shape, FLOAT, new Uint8Array(Float32Array.from(values).buffer));
  }

  #integers(name: string, values: readonly number[]): string {
    const content = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#initializer(name, [values.length], INT64, content);
  }

  #initializer(name: string, shape: readonly number[], type: number, content: Uint8Array): string {
    if (!this.#initializers.has(name)) {
      const tensor = new Message();
      for (const size of shape) tensor.int(1, size);
      this.#initializers.set(name, tensor.int(2, type).text(8, name).raw(9, content));
    }
    return name;
  }

  #value(id: NodeId): string {
    if (id === this.#graph.output) return ONNX_OUTPUT;
    return this.#graph.nodes[id].op === 'input' ? ONNX_INPUT : `value ${id}`;
  }

  #channels(id: NodeId): number {
    const { shape } = this.#graph.nodes[id];
    if (shape.kind === 'table') throw new Error('a table has no channels');
    return shape.kind === 'map' ? shape.channels : shape.length;
  }
}

/** Values of TensorProto.DataType. */
const FLOAT = 1;
const INT64 = 7;

/** Writes an AttributeProto with its value and its type. */
function attribute(name: string, value: Attribute): Message {
  const message = new Message().text(1, name);
  if (typeof value === 'number') return message.int(3, value).int(20, 2);
  if (typeof value === 'string') return message.text(4, value).int(20, 3);
  if ('float' in value) return message.float(2, value.float).int(20, 1);
  for (const number of value) message.int(8, number);
  return message.int(20, 7);
}

/** Writes the ValueInfoProto of a float tensor [1, channels, ...sizes by name]. */
function mapInfo(name: string, channels: number, sizes: readonly string[]): Message {
  const shape = new Message();
  for (const size of [1, channels]) shape.message(1, new Message().int(1, size));
  for (const size of sizes) shape.message(1, new Message().text(2, size));
  const tensor = new Message().int(1, FLOAT).message(2, shape);
  return new Message().text(1, name).message(2, new Message().message(1, tensor));
}

/** A Protocol Buffers message, written field by field. The methods take the field's number. */
class Message {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Writes a non-negative varint. */
  int(field: number, value: number): this {
    return this.#push(varint(field * 8), varint(value));
  }

  float(field: number, value: number): this {
    return this.#push(varint(field * 8 + 5), new Uint8Array(Float32Array.of(value).buffer));
  }

  text(field: number, value: string): this {
    return this.raw(field, new TextEncoder().encode(value));
  }

  message(field: number, message: Message): this {
    return this.raw(field, message.bytes());
  }

  raw(field: number, content: Uint8Array): this {
    return this.#push(varint(field * 8 + 2), varint(content.length), content);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  #push(...parts: Uint8Array[]): this {
    for (const part of parts) {
      this.#parts.push(part);
      this.#length += part.length;
    }
    return this;
  }
}

/**
 * Encodes seven bits per byte, starting with the lowest bits. All bytes except the last have the
 * top bit set.
 */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}
