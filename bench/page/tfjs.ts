/** Runs Crispen's own graphs op by op on TensorFlow.js, which cannot read ONNX. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-webgpu';
import { consumers } from '../../src/graph/analysis.ts';
import type { Activation, Graph, GraphNode, NodeId } from '../../src/graph/graph.ts';
import { toFloat32 } from '../../src/weights/convert.ts';
import type { TensorMap } from '../../src/weights/tensor.ts';
import type { Contender } from '../contender.ts';
import { toPlanar } from '../photo.ts';

const BACKEND = 'webgpu';

/** Runs TensorFlow.js on WebGPU, with TensorFlow.js's own layout (NHWC) and fused convolutions. */
export const tfjsContender: Contender = {
  engine: 'tfjs-webgpu',
  precision: 'f32',
  async open({ network, weights, image }) {
    if (!(await tf.setBackend(BACKEND))) throw new Error('TensorFlow.js opened no WebGPU.');
    await tf.ready();
    const { graph, inputRange } = network;
    const loaded = loadWeights(graph, weights);
    const { width, height } = image;
    const planar = toPlanar(image, inputRange);
    let last: Float32Array;
    return {
      async run() {
        const input = tf.tidy(() =>
          tf.transpose(tf.tensor(planar, [1, 3, height, width]), [0, 2, 3, 1]),
        );
        const output = evaluate(graph, loaded, input);
        const chw = tf.tidy(() => tf.transpose(output, [0, 3, 1, 2]));
        last = await chw.data();
        output.dispose();
        chw.dispose();
      },
      output: async () => last.map((value) => value / inputRange),
      async close() {
        for (const tensor of loaded.values()) tensor.dispose();
        // The backend keeps all buffers for reuse. A new backend starts without any.
        const make = tf.findBackendFactory(BACKEND);
        tf.removeBackend(BACKEND);
        tf.registerBackend(BACKEND, make);
      },
    };
  },
};

/** Loads weights in TensorFlow.js's layout, in which convolutions are HWIO instead of OIHW. */
function loadWeights(graph: Graph, weights: TensorMap): Map<string, tf.Tensor> {
  return new Map(
    graph.weights.map(({ name, shape }) => {
      const stored = weights.get(name);
      if (!stored) throw new Error(`The weights lack ${name}.`);
      const make = () => {
        const tensor = tf.tensor(toFloat32(stored), shape);
        return shape.length === 4 ? tf.transpose(tensor, [2, 3, 1, 0]) : tensor;
      };
      return [name, tf.tidy(make)];
    }),
  );
}

/**
 * Evaluates the graph node by node. Each value is released after its last reader has run, as in
 * TensorFlow.js's own models.
 */
function evaluate(graph: Graph, weights: ReadonlyMap<string, tf.Tensor>, input: tf.Tensor) {
  const readers = consumers(graph);
  const values = new Map<NodeId, tf.Tensor>();
  const fused = new Set<NodeId>();
  graph.nodes.forEach((node, id) => {
    const args = node.inputs.map((from) => values.get(from) as tf.Tensor);
    if (node.op === 'input') values.set(id, input);
    // The convolution has already computed this activation.
    else if (fused.has(id)) values.set(id, args[0]);
    else if (node.op === 'conv') {
      const next = readers.get(id)?.length === 1 ? (readers.get(id)?.[0] ?? id) : id;
      const activation = fusedActivation(graph.nodes[next]);
      if (activation) fused.add(next);
      const bias = node.bias === null ? {} : { bias: weights.get(node.bias)! };
      const filter = weights.get(node.weight)!;
      const conv = { x: args[0], filter, strides: 1, pad: 'same', ...bias, ...activation } as const;
      values.set(
        id,
        tf.tidy(() => tf.fused.conv2d(conv)),
      );
    } else
      values.set(
        id,
        tf.tidy(() => applyNode(node, args, weights)),
      );
    for (const from of new Set(node.inputs)) {
      // If a value is also known under another name, the last reader of that name releases it.
      if (readers.get(from)?.at(-1) !== id || from === graph.output || fused.has(id)) continue;
      values.get(from)?.dispose();
      values.delete(from);
    }
  });
  return values.get(graph.output) as tf.Tensor;
}

function fusedActivation(node: GraphNode) {
  if (node.op !== 'activation') return null;
  const { activation } = node;
  if (activation.fn === 'relu' || activation.fn === 'sigmoid') return { activation: activation.fn };
  if (activation.fn !== 'leakyRelu') return null;
  return { activation: 'leakyrelu', leakyreluAlpha: activation.slope } as const;
}

function applyNode(
  node: GraphNode,
  args: readonly tf.Tensor[],
  weights: ReadonlyMap<string, tf.Tensor>,
): tf.Tensor {
  const [a, b, c] = args;
  const weight = (name: string) => weights.get(name)!;
  const [, height, width, channels] = a.shape;
  switch (node.op) {
    case 'activation':
      return activate(node.activation, a);
    case 'prelu':
      return tf.prelu(a, weight(node.weight));
    case 'affine': {
      const row = (values: readonly number[]) =>
        tf.tensor(Float32Array.from(values), [values.length]);
      return tf.add(tf.mul(a, row(node.scale)), row(node.shift));
    }
    case 'mul':
      return tf.mul(a, b);
    case 'add':
      return tf.add(a, node.factor === 1 ? b : tf.mul(b, node.factor));
    case 'concat':
      return tf.concat([...args], 3);
    case 'pixelShuffle': {
      const s = node.scale;
      const cells = tf.reshape(a, [height, width, channels / s ** 2, s, s]);
      const rows = tf.transpose(cells, [0, 3, 1, 4, 2]);
      return tf.reshape(rows, [1, height * s, width * s, channels / s ** 2]);
    }
    case 'pixelUnshuffle': {
      const s = node.scale;
      const cells = tf.reshape(a, [height / s, s, width / s, s, channels]);
      const ordered = tf.transpose(cells, [0, 2, 4, 1, 3]);
      return tf.reshape(ordered, [1, height / s, width / s, channels * s ** 2]);
    }
    case 'globalAveragePool':
      return tf.mean(a, [1, 2]);
    case 'linear': {
      const product = tf.matMul(a, weight(node.weight), false, true);
      return node.bias === null ? product : tf.add(product, weight(node.bias));
    }
    case 'softmax':
      return tf.softmax(tf.mul(a, 1 / node.temperature));
    case 'mix': {
      const branch = (x: tf.Tensor, i: number) => tf.mul(x, tf.slice(c, [0, i], [1, 1]));
      return tf.add(branch(a, 0), branch(b, 1));
    }
    case 'nearest':
      return tf.image.resizeNearestNeighbor(a, [height * node.scale, width * node.scale]);
    case 'bilinear':
      return tf.image.resizeBilinear(a, [height * node.scale, width * node.scale], false, true);
    default:
      throw new Error(`${node.name}: ${node.op} is not run by TensorFlow.js`);
  }
}

function activate(activation: Activation, x: tf.Tensor): tf.Tensor {
  switch (activation.fn) {
    case 'leakyRelu':
      return tf.leakyRelu(x, activation.slope);
    case 'relu':
      return tf.relu(x);
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'silu':
      return tf.mul(x, tf.sigmoid(x));
    case 'gelu':
      return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
    case 'mish':
      return tf.mul(x, tf.tanh(tf.softplus(x)));
    case 'centredSigmoid':
      return tf.sub(tf.sigmoid(x), 0.5);
    default:
      throw new Error(
        `The activation ${(activation as Activation).fn} is not run by TensorFlow.js.`,
      );
  }
}
