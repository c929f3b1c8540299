/**
 * Computes weights for golden files that contain none, using the rules in the READMEs of the shared
 * golden folders.
 */
import type { WeightSpec } from '../graph/graph.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { elementCount, type Tensor } from '../weights/tensor.ts';

/**
 * Computes pseudorandom values in -1..1 from a tensor's name and a seed, and passes each of them
 * through `scale`.
 */
export function hashedValues(
  name: string,
  shape: readonly number[],
  seed: number,
  scale: (u: number) => number,
): Float32Array {
  let base = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) base = Math.imul(base ^ byte, 0x01000193);
  base ^= Math.imul(seed, 0x9e3779b9);
  return Float32Array.from({ length: elementCount(shape) }, (_, i) => {
    let x = (base + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x = (x ^ (x >>> 16)) >>> 0;
    return scale((2 * x) / 2 ** 32 - 1);
  });
}

const NORMS =
  /norm|before_RG|\.pos[123]\.0\.|\.dwconv\.1\.|channel_interaction\.2\.|spatial_interaction\.1\./;

/**
 * Computes weights by recipe 2, which the README of the shared folder `golden2` describes.
 * @param gains pairs of a substring and the factor for layers whose names contain it; the first
 *   match applies
 */
export function recipe2(
  weights: readonly WeightSpec[],
  seed: number,
  gains: readonly (readonly [string, number])[],
): Map<string, Tensor> {
  return new Map(
    weights.map(({ name, shape }) => {
      const values = hashedValues(name, shape, seed, scaleOf(name, shape, gains));
      return [name, fromFloat32(values, shape, 'f32')];
    }),
  );
}

function scaleOf(
  name: string,
  shape: readonly number[],
  gains: readonly (readonly [string, number])[],
): (u: number) => number {
  if (name.includes('running_mean')) return (u) => 0.2 * u;
  if (name.includes('running_var')) return (u) => 1 + 0.4 * u;
  if (NORMS.test(name)) return name.endsWith('.weight') ? (u) => 1 + 0.3 * u : (u) => 0.2 * u;
  if (name.includes('temperature')) return (u) => 2 + 0.8 * u;
  if (/rel_pos_bias|position_bias_table/.test(name)) return (u) => 1.2 * u;
  if (shape.length < 2) return (u) => 0.12 * u;
  const fanIn = elementCount(shape.slice(1));
  const gain = gains.find(([part]) => name.includes(part))?.[1] ?? 1;
  return (u) => u * gain * Math.sqrt(3 / fanIn);
}
