import { setFlagsFromString } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../test/random.ts';
import { interpret } from '../engine/oracle/interpreter.ts';
import { ACTIVATIONS, type ActivationName } from '../graph/activations.ts';
import { GraphBuilder, type NodeId } from '../graph/graph.ts';
import type { Activation } from '../graph/ops.ts';
import { TransformerBuilder } from '../graph/transformer.ts';
import type { Network } from '../networks/network.ts';
import { fromFloat32 } from '../weights/convert.ts';
import type { Tensor } from '../weights/tensor.ts';
import { CpuModel } from './model.ts';
import type { VariantName } from './module.ts';
import { compileModule } from './module.ts';
import { traceOnCpu } from './trace.ts';

// In Node 20, relaxed SIMD requires a flag.
setFlagsFromString('--experimental-wasm-relaxed-simd');

type Build = (b: GraphBuilder, x: NodeId) => NodeId;

const conv =
  (kernel: 1 | 3, cOut: number, bias = true): Build =>
  (b, x) =>
    b.conv(`conv${x}`, x, { layer: `layer${x}`, kernel, cOut, bias });
const activated =
  (build: Build, activation: Activation): Build =>
  (b, x) =>
    b.activation('activated', build(b, x), activation);
/**
 * All activations in `ACTIVATIONS`. If the WebAssembly module does not support an activation,
 * JavaScript code computes it.
 */
const ALL = (Object.keys(ACTIVATIONS) as ActivationName[]).map(
  (fn): Activation => (fn === 'leakyRelu' ? { fn, slope: 0.2 } : { fn }),
);
const summed =
  (build: Build): Build =>
  (b, x) =>
    b.add('sum', x, build(b, x), 0.5);
const pooled: Build = (b, x) => b.globalAveragePool('pooled', x);
const dynamic: Build = (b, x) => {
  const hidden = b.linear('first', pooled(b, x), { layer: 'first', lengthOut: 3 });
  const second = b.linear('second', b.relu('active', hidden), { layer: 'second', lengthOut: 2 });
  return b.softmax('weights', second, 3);
};

/** For each graph: the number of input channels, and a function that builds the graph. */
const GRAPHS: Readonly<Record<string, readonly [channels: number, build: Build]>> = {
  'conv 3x3, 3 -> 5': [3, conv(3, 5)],
  'conv 3x3, 8 -> 16': [8, conv(3, 16)],
  'conv 3x3, 20 -> 12 without bias': [20, conv(3, 12, false)],
  'conv 1x1, 5 -> 3': [5, conv(1, 3)],
  'conv 1x1, 40 -> 40': [40, conv(1, 40)],
  ...Object.fromEntries(
    ALL.flatMap((activation): [string, readonly [number, Build]][] => [
      [activation.fn, [4, activated(conv(3, 7), activation)]],
      [`${activation.fn}, then a sum`, [5, summed(activated(conv(1, 5), activation))]],
    ]),
  ),
  PReLU: [3, (b, x) => b.prelu('y', conv(3, 9)(b, x), 'slopes')],
  'PReLU alone': [5, (b, x) => b.prelu('y', x, 'slopes')],
  'activation, product, sum, activation': [
    6,
    (b, x) => {
      const inner = b.sigmoid('s', conv(3, 6)(b, x));
      const sum = b.add('sum', x, b.mul('product', inner, x), 0.3);
      return b.leakyRelu('y', sum, 0.1);
    },
  ],
  'sum with the factor on the other side': [
    6,
    (b, x) => b.add('y', conv(3, 6)(b, x), b.relu('r', x), -0.7),
  ],
  'product and activation': [7, (b, x) => b.activation('y', b.mul('m', x, x), { fn: 'silu' })],
  'nearest x2 and conv': [5, (b, x) => conv(3, 10)(b, b.nearest('n', x, 2))],
  'nearest x3, conv, product, sum': [
    4,
    (b, x) => {
      const wide = b.nearest('n', x, 3);
      const shown = b.relu('kept', b.nearest('n2', x, 3));
      const y = b.mul('m', b.relu('r', conv(3, 4)(b, wide)), shown);
      return b.relu('y', b.add('sum', y, shown));
    },
  ],
  'nearest alone': [3, (b, x) => b.nearest('n', x, 3)],
  'conv 3x3 over parts': [
    5,
    (b, x) => conv(3, 11)(b, b.concat('c', [x, conv(1, 7)(b, x), b.relu('r', x)])),
  ],
  'conv 1x1 over parts': [
    3,
    (b, x) => conv(1, 4)(b, b.concat('c', [x, b.relu('r', x), conv(3, 8)(b, x)])),
  ],
  'concatenation alone': [5, (b, x) => b.concat('c', [x, b.relu('r', x), x])],
  'pixel shuffle by 2': [12, (b, x) => b.pixelShuffle('y', x, 2)],
  'pixel shuffle by 3': [36, (b, x) => b.pixelShuffle('y', x, 3)],
  'pixel unshuffle and shuffle': [
    3,
    (b, x) =>
      b.pixelShuffle('s', conv(3, 12)(b, new TransformerBuilder(b).pixelUnshuffle('u', x, 2)), 2),
  ],
  'maps of several sizes one after the other in the same memory': [
    12,
    (b, x) => {
      const large = b.relu('large', b.pixelShuffle('s', x, 2));
      const small = new TransformerBuilder(b).pixelUnshuffle('u', b.prelu('p', large, 'slopes'), 2);
      return conv(3, 8)(b, conv(3, 8)(b, conv(3, 8)(b, small)));
    },
  ],
  'moved by one pixel, both ways': [
    5,
    (b, x) => {
      const t = new TransformerBuilder(b);
      return b.concat('c', [t.shift('s', x, 1), x, t.shift('r', x, -1)]);
    },
  ],
  'channels times the means inside': [
    6,
    (b, x) => {
      const wide = b.nearest('n', x, 4);
      const op = { op: 'globalAveragePool', inset: [1, 2] } as const;
      const mean = b.append('mean', op, [wide]);
      return new TransformerBuilder(b).scaleChannels('y', wide, mean);
    },
  ],
  'bilinear x2': [3, (b, x) => b.bilinear('y', x, 2)],
  'bilinear x3': [9, (b, x) => b.bilinear('y', x, 3)],
  affine: [3, (b, x) => b.affine('y', x, [2, 0.5, -1], [0.1, -0.2, 3])],
  'mix by dynamic weights': [
    8,
    (b, x) => b.leakyRelu('y', b.mix('m', b.relu('r', x), conv(1, 8)(b, x), dynamic(b, x)), 0.2),
  ],
};

const SIZES = [
  [1, 1],
  [3, 2],
  [4, 6],
  [7, 5],
  [11, 9],
  [34, 19],
] as const;

/** Creates random weights between -0.5 and 0.5. `next` returns random numbers between 0 and 1. */
function weightsFor(network: Network, next: () => number): Map<string, Tensor> {
  return new Map(
    network.graph.weights.map(({ name, shape }) => {
      const data = Float32Array.from(
        { length: shape.reduce((a, c) => a * c, 1) },
        () => next() - 0.5,
      );
      return [name, fromFloat32(data, shape, 'f32')];
    }),
  );
}

const VARIANTS: readonly VariantName[] = ['simd', 'relaxed'];

describe.each(VARIANTS)('%s', (variant) => {
  describe.each(Object.entries(GRAPHS))('%s', (title, [channels, build]) => {
    it.each(['ops', 'none'] as const)(
      'is what the reference loops compute, fused to %s',
      async (fuse) => {
        const b = new GraphBuilder();
        const output = build(b, b.input('input', channels));
        const graph = b.build(output);
        const { name, shape } = graph.nodes[output];
        const scale = shape.kind === 'map' ? shape.scale : 1;
        const network: Network = { architecture: 'none', graph, scale, inputRange: 1 };
        const next = randomStream(title.length);
        const weights = weightsFor(network, next);
        const module = await compileModule(variant);
        const model = await CpuModel.load(network, weights, { module, fuse });
        for (const [width, height] of SIZES) {
          const data = Float32Array.from(
            { length: channels * width * height },
            () => 2 * next() - 1,
          );
          const input = { width, height, data };
          const expected = (await interpret(network, weights, input, [name])).get(name);
          const actual = (await traceOnCpu(model, input, [name])).get(name);
          expect(actual?.shape).toEqual(expected?.shape);
          const top = Math.max(...(expected?.data.map(Math.abs) ?? []));
          const worst = Math.max(
            ...(expected?.data.map((v, i) => Math.abs(v - (actual?.data[i] ?? Number.NaN))) ?? []),
          );
          expect(worst / top, `${width} x ${height}`).toBeLessThan(2e-6);
        }
      },
    );
  });

  it.each(['sigmoid', 'silu', 'gelu', 'centredSigmoid'] as const)(
    '%s of large numbers is right and never subnormal',
    async (fn) => {
      const b = new GraphBuilder();
      const graph = b.build(b.activation('y', b.input('x', 1), { fn }));
      const network: Network = { architecture: 'none', graph, scale: 1, inputRange: 1 };
      const module = await compileModule(variant);
      const model = await CpuModel.load(network, new Map(), { module });
      const data = Float32Array.from({ length: 1600 }, (_, i) => (i - 800) / 4);
      const actual = (await traceOnCpu(model, { width: 1600, height: 1, data }, ['y'])).get('y');
      const off = [...data].filter((v, i) => {
        const [got, expected] = [actual?.data[i] ?? Number.NaN, ACTIVATIONS[fn](v)];
        const subnormal = got !== 0 && Math.abs(got) < 2 ** -126;
        return subnormal || !(Math.abs(got - expected) <= 1e-6 * Math.max(1, Math.abs(expected)));
      });
      expect(off).toEqual([]);
    },
  );
});
