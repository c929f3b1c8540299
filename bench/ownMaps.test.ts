import { expect, it } from 'vitest';
import { asid } from '../src/networks/asid.ts';
import { pan } from '../src/networks/pan.ts';
import { fromFloat32, toFloat32 } from '../src/weights/convert.ts';
import { randomStream } from '../test/random.ts';
import { withOwnMaps } from './ownMaps.ts';

it('copies the first block’s queries and keys, and keeps the values of each block', () => {
  const network = asid({ scale: 2, features: 16, blocks: 2 });
  const next = randomStream(1);
  const weights = new Map(
    network.graph.weights.map(({ name, shape }) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return [name, fromFloat32(Float32Array.from({ length }, next), shape, 'f32')];
    }),
  );
  const own = withOwnMaps(network, weights);
  const floats = (name: string) => toFloat32(own.weights.get(name)!);
  const qkv = floats('block1.residual_layer.SLA1.attn.to_qkv.weight');
  const first = floats('block0.residual_layer.0.SLA1.attn.to_qkv.weight');
  const values = toFloat32(weights.get('block1.residual_layer.SLA1.attn.to_v.weight')!);
  expect([...qkv]).toEqual([...first.slice(0, 288), ...values]);
  expect([...own.weights.keys()].sort()).toEqual(
    own.network.graph.weights.map(({ name }) => name).sort(),
  );
  expect(() => withOwnMaps(pan({ scale: 2 }), weights)).toThrow(/ASID/);
});
