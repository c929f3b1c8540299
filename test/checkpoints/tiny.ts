import { createNetwork } from '../../src/networks/registry.ts';
import { writeSafetensors } from '../../src/weights/writeSafetensors.ts';
import { randomStream } from '../random.ts';

/**
 * Creates a weight file for the smallest possible network, for tests with large images. The network
 * is a seeded Compact with one feature and two convolutions.
 */
export function tinyCheckpoint(scale = 4): Uint8Array<ArrayBuffer> {
  const random = randomStream(5);
  const { weights } = createNetwork('compact', { scale, features: 1, blocks: 0 }).graph;
  const tensors = weights.map(({ name, shape }) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
      name.endsWith('weight') ? (random() - 0.5) / 5 : 0,
    );
    return [name, { dtype: 'f32', shape, bytes: new Uint8Array(values.buffer) }] as const;
  });
  return Uint8Array.from(writeSafetensors(new Map(tensors)));
}
