import { createNetwork } from '../../src/networks/registry.ts';
import { dict, tensor, torchZip } from './forge.ts';

/**
 * Creates a PyTorch checkpoint of a seeded full-size ESRGAN: x4, 23 blocks, 67 MB, key
 * `params_ema`.
 */
export function largeCheckpoint(): { bytes: Uint8Array<ArrayBuffer>; parameters: number } {
  const { weights } = createNetwork('esrgan', { scale: 4 }).graph;
  const sizes = weights.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const parameters = sizes.reduce((a, b) => a + b, 0);
  const values = new Float32Array(parameters);
  let state = 1;
  for (let i = 0; i < parameters; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state / 2 ** 32 - 0.5) / 10;
  }
  let offset = 0;
  const entries = weights.map(({ name, shape }, i) => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const entry = tensor({ count: parameters, offset, shape, strides });
    offset += sizes[i];
    return [name, entry] as const;
  });
  const value = dict({ params_ema: dict(Object.fromEntries(entries)) });
  const bytes = torchZip(value, { 0: new Uint8Array(values.buffer) });
  return { bytes: bytes as Uint8Array<ArrayBuffer>, parameters };
}
