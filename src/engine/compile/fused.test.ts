import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../test/random.ts';
import { type Activation, type Graph, GraphBuilder, type NodeId } from '../../graph/graph.ts';
import { convReference } from '../../kernels/conv/conv.reference.ts';
import { nearestReference } from '../../kernels/maps/enlarge.reference.ts';
import {
  activationReference,
  addReference,
  mixReference,
  mulReference,
  preluReference,
} from '../../kernels/maps/pointwise.reference.ts';
import { concatReference } from '../../kernels/maps/rearrange.reference.ts';
import { type PlanarMap, planarMap } from '../../kernels/planar.ts';
import { finish } from '../../kernels/steps.ts';
import { globalAveragePoolReference } from '../../kernels/vector/pool.reference.ts';
import {
  linearReference,
  softmaxReference,
  vectorActivationReference,
} from '../../kernels/vector/vector.reference.ts';
import type { Network } from '../../networks/network.ts';
import { createNetwork } from '../../networks/registry.ts';
import { fromFloat32 } from '../../weights/convert.ts';
import { applyOp, interpret } from '../oracle/interpreter.ts';
import { paddedInput, withoutPadding } from '../oracle/trace.ts';
import { fuseBlocks } from './blocks.ts';
import { type FuseOptions, fuse } from './fuse.ts';
import {
  type ConvLayer,
  type FusedGraph,
  type FusedOp,
  type LinearLayer,
  lifetimes,
  readsOf,
  writesOf,
} from './fused.ts';

const networks: Readonly<Record<string, Network>> = {
  a2n: createNetwork('a2n', { scale: 4, features: 8, upsamplerFeatures: 6, blocks: 3 }),
  a2nm: createNetwork('a2nm', { scale: 2, features: 8, upsamplerFeatures: 6, blocks: 2 }),
  pan: createNetwork('pan', { scale: 3, features: 8, upsamplerFeatures: 6, blocks: 2 }),
  compact: createNetwork('compact', { scale: 2, features: 8, blocks: 2 }),
  span: createNetwork('span', { scale: 2, features: 8 }),
  rrdb: createNetwork('esrgan', { scale: 2, features: 8, growth: 4, blocks: 1, unshuffle: 2 }),
  edsr: createNetwork('edsr', { scale: 3, features: 8, blocks: 2 }),
  mosr: createNetwork('mosr', { scale: 2, features: 8, blocks: 1 }),
  rcan: createNetwork('rcan', { scale: 2, features: 8, groups: 1, blocks: 2, reduction: 4 }),
  realcugan: createNetwork('realcugan', { scale: 2, features: 4, pro: true }),
  realplksr: createNetwork('realplksr', { scale: 2, features: 8, blocks: 2, sampling: 4 }),
};
type By = (graph: Graph, options?: Pick<FuseOptions, 'image'>) => FusedGraph;
const LEVELS: readonly (readonly [string, By])[] = [
  ['none', (graph, options) => fuse(graph, { ...options, fuse: 'none' })],
  ['ops', fuse],
  ['ops, with mixing convolutions', (graph, options) => fuse(graph, { ...options, mixes: true })],
  ['blocks', (graph, options) => fuseBlocks(graph, { ...options, mixes: true })],
];
const size = { width: 8, height: 6 };

/**
 * Generates pseudorandom weights from a fixed seed. The more inputs a layer has, the smaller its
 * weights are, so that values do not grow from layer to layer.
 */
function seeded({ graph }: Network): Map<string, Float32Array> {
  const next = randomStream(7);
  return new Map(
    graph.weights.map(({ name, shape }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const bound = Math.sqrt(3 / (length / shape[0]));
      return [name, Float32Array.from({ length }, () => (2 * next() - 1) * Math.min(1, bound))];
    }),
  );
}

type Value = PlanarMap | Float32Array;

/**
 * Computes the result of a fused graph in JavaScript. For each type of op, it uses the formula in
 * the comment on that type in `fused.ts`. Values are dropped after their last use.
 */
function run(
  fused: FusedGraph,
  weights: ReadonlyMap<string, Float32Array>,
  input: PlanarMap,
): PlanarMap {
  const values = new Map<NodeId, Value>(fused.inputs.map((id) => [id, input]));
  const lives = lifetimes(fused);
  const map = (id: NodeId) => values.get(id) as PlanarMap;
  const vector = (id: NodeId) => values.get(id) as Float32Array;
  const weight = (name: string) => weights.get(name) as Float32Array;
  const conv = (x: PlanarMap, { weight: w, bias, cOut, kernel }: ConvLayer) =>
    convReference(x, weight(w), bias === null ? null : weight(bias), cOut, kernel);
  const act = (x: PlanarMap, a: Activation | null) => (a ? activationReference(x, a) : x);
  const linear = (x: Float32Array, { weight: w, lengthOut }: LinearLayer) =>
    linearReference(x, weight(w), lengthOut);
  const relu = { fn: 'relu' } as const;
  const branch = (x: PlanarMap, first: LinearLayer, second: LinearLayer, temperature: number) =>
    softmaxReference(
      linear(vectorActivationReference(linear(globalAveragePoolReference(x), first), relu), second),
      temperature,
    );
  const apply = (op: FusedOp): readonly (readonly [NodeId | null, Value])[] => {
    switch (op.op) {
      case 'conv': {
        const [first] = op.reads.x;
        const x = op.reads.x.length > 1 ? concatReference(op.reads.x.map(map)) : map(first);
        let y = conv(op.upsample > 1 ? nearestReference(x, op.upsample) : x, op);
        y = op.act0?.fn === 'prelu' ? preluReference(y, weight(op.act0.slopes)) : act(y, op.act0);
        const { multiplier, addend } = op.reads;
        if (op.mix !== undefined) {
          const w = vector(multiplier as NodeId);
          const own = op.mix === 0 ? w : w.toReversed();
          y = mixReference(y, map(addend as NodeId), own);
        } else {
          if (multiplier !== null) y = mulReference(y, map(multiplier));
          if (addend !== null) y = addReference(map(addend), y, op.factor);
        }
        return [[op.writes.y, act(y, op.act1)]];
      }
      case 'pointwise': {
        const { a, b, w } = op.reads;
        const two = (f: (a: PlanarMap, b: PlanarMap) => PlanarMap) => f(map(a), map(b as NodeId));
        const y =
          op.fn === 'copy'
            ? map(a)
            : op.fn === 'mul'
              ? two(mulReference)
              : op.fn === 'add'
                ? two((a, b) => addReference(a, b, op.factor))
                : two((a, b) => mixReference(a, b, vector(w as NodeId)));
        return [[op.writes.y, act(y, op.activation)]];
      }
      case 'dynamicWeights':
        return [[op.writes.y, branch(map(op.reads.x), op.first, op.second, op.temperature)]];
      case 'vectorActivation':
        return [[op.writes.y, vectorActivationReference(vector(op.reads.x), op.activation)]];
      case 'attentionGate': {
        const t = map(op.reads.t);
        const leaky = { fn: 'leakyRelu', slope: op.slope } as const;
        const gate = act(conv(act(conv(t, op.k1), leaky), op.k2), { fn: 'sigmoid' });
        return [[op.writes.gated, mulReference(conv(t, op.k3), gate)]];
      }
      case 'attentionMix': {
        const [gated, t, x] = [op.reads.gated, op.reads.t, op.reads.x].map(map);
        const leaky = { fn: 'leakyRelu', slope: op.slope } as const;
        const w = branch(t, op.w1, op.w2, op.temperature);
        const mixed = mixReference(conv(gated, op.k4), conv(t, op.non), w);
        const out = addReference(x, conv(act(mixed, leaky), op.last));
        return [
          [op.writes.out, out],
          ...(op.first ? [[op.writes.nextT, act(conv(out, op.first), leaky)] as const] : []),
        ];
      }
      case 'gatedConv': {
        const x = map(op.reads.x);
        const v = conv(op.upsample > 1 ? nearestReference(x, op.upsample) : x, op.conv);
        const gate = act(conv(v, op.gate), { fn: 'sigmoid' });
        return [[op.writes.y, act(mulReference(v, gate), op.activation)]];
      }
      case 'unpack':
      case 'pack':
      case 'skipPack':
      case 'view':
      case 'pixelLayer':
      case 'gatedProjection':
      case 'normedAttention':
      case 'projectedAttention':
      case 'weighedProjection':
      case 'spatialGate':
        throw new Error(`${op.op} is not expected here`);
      default: {
        const args = op.reads.inputs.map(
          (id) => values.get(id) as PlanarMap | Float32Array<ArrayBuffer>,
        );
        return [[op.writes.y, finish(applyOp(op, args, weight)) as Value]];
      }
    }
  };
  fused.ops.forEach((op, index) => {
    const results = apply(op);
    expect(results.map(([id]) => id)).toEqual(writesOf(op));
    for (const [id, value] of results) values.set(id as NodeId, value);
    for (const id of values.keys()) if (lives.get(id)?.last === index) values.delete(id);
  });
  expect([...values.keys()]).toEqual([fused.graph.output]);
  return map(fused.graph.output);
}

describe.each(Object.entries(networks))('the fused ops of %s', (_, network) => {
  const weights = seeded(network);
  const { graph, scale } = network;
  const next = randomStream(3);
  const { channels } = graph.nodes[0].shape as { channels: number };
  const input = planarMap(channels, size.height, size.width);
  input.data.forEach((_, i) => {
    input.data[i] = next();
  });

  it.each(LEVELS)(
    'compute at level %s what the interpreter computes of the graph',
    async (_, by) => {
      const tensors = new Map(
        graph.weights.map(({ name, shape }) => [
          name,
          fromFloat32(weights.get(name) as Float32Array, shape, 'f32'),
        ]),
      );
      const { name } = graph.nodes[graph.output];
      const traced = await interpret(network, tensors, { ...size, data: input.data }, [name]);
      const expected = traced.get(name)?.data as Float32Array;
      const padded = paddedInput(network, { ...size, data: input.data });
      const whole = run(by(graph), weights, padded);
      const actual = withoutPadding(network, whole, size);
      expect([actual.width, actual.height]).toEqual([size.width * scale, size.height * scale]);
      const largest = expected.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
      const worst = expected.reduce((max, v, i) => Math.max(max, Math.abs(v - actual.data[i])), 0);
      expect(largest).toBeGreaterThan(1e-3);
      expect(worst / largest).toBeLessThan(1e-5);
    },
  );

  it.each(LEVELS)('name at level %s values that are written before they are read', (_, by) => {
    for (const image of [undefined, {}, { wide: true }]) {
      const { ops, inputs } = by(graph, { image });
      const written = new Set(image ? [] : inputs);
      for (const op of ops) {
        for (const id of readsOf(op)) expect(written).toContain(id);
        for (const id of writesOf(op)) {
          expect(written).not.toContain(id);
          written.add(id);
        }
      }
      const multiplyAdds = (list: readonly { multiplyAdds: number }[]) =>
        list.reduce((sum, op) => sum + op.multiplyAdds, 0);
      expect(multiplyAdds(ops)).toBe(multiplyAdds(fuse(graph, { fuse: 'none' }).ops));
    }
  });
});

it('keeps a value to the end for whoever wants to see it', () => {
  const { graph } = networks.a2n;
  const id = graph.nodes.findIndex(({ name }) => name === 'block1.att.gated');
  const fused = fuse(graph, { keep: new Set([id]) });
  expect(lifetimes(fused, new Set([id])).get(id)?.last).toBe(fused.ops.length);
  expect(lifetimes(fused).get(id)?.last).toBeLessThan(fused.ops.length);
});

it('mixes the branches of an attention-in-attention block where one ends, if the backend can', () => {
  const { graph } = networks.a2n;
  const mixes = (fused: FusedGraph) =>
    fused.ops.map((op) => ('fn' in op ? op.fn : op.op === 'conv' ? op.mix : undefined));
  const mixed = mixes(fuse(graph, { mixes: true }));
  expect(mixed.filter((mix) => mix !== undefined && typeof mix === 'number')).toHaveLength(3);
  expect(mixed).not.toContain('mix');
  expect(mixes(fuse(graph)).filter((fn) => fn === 'mix')).toHaveLength(3);
});

it.each([0, 1] as const)('mixes a convolution that comes as operand %i', (at) => {
  const b = new GraphBuilder();
  const x = b.input('x', 4);
  const pooled = b.globalAveragePool('pooled', x);
  const weights = b.softmax('p', b.linear('l', pooled, { layer: 'l', lengthOut: 2 }), 1);
  const y = b.conv('y', x, { layer: 'y', kernel: 1, cOut: 4, bias: true });
  const graph = b.build(b.mix('mixed', at === 0 ? y : x, at === 0 ? x : y, weights));
  const mixed = fuse(graph, { mixes: true }).ops.at(-1);
  expect(mixed).toMatchObject({ op: 'conv', name: 'mixed', mix: at, reads: { addend: x } });
});
