/** Compares the attention that the inspection reports with a golden case's tensors. */
import { expect } from 'vitest';
import type { GoldenCase } from '../src/cli/golden-case.ts';
import {
  type Attention,
  type AttentionClusters,
  attentionTaps,
  readAttention,
} from '../src/engine/oracle/attention.ts';
import type { Backend } from '../src/node/backend.ts';
import { toFloat32 } from '../src/weights/convert.ts';

const TOLERANCE = 2e-4;

/** Returns the attention for a golden case's input. */
export async function attentionOf(
  { network, weights, input }: GoldenCase,
  backend: Pick<Backend, 'trace'>,
): Promise<Attention> {
  const [, , height, width] = input.shape;
  const planar = { width, height, data: toFloat32(input) };
  const taps = attentionTaps(network);
  const traced = await backend.trace(network, weights, planar, taps, { exact: true });
  return readAttention(network, traced, { width, height });
}

/**
 * Checks everything that the case has goldens for, and returns the names of the checked tensors.
 */
export function expectGoldenAttention(golden: GoldenCase, attention: Attention): string[] {
  const seen: string[] = [];
  const golden32 = (name: string): Float32Array | null => {
    const tensor = golden.expected.get(name);
    if (!tensor) return null;
    seen.push(name);
    return toFloat32(tensor);
  };
  for (const block of attention.blocks) {
    const { name } = block;
    const softmax = golden32(`${name}.adm_softmax`);
    if (softmax) expectClose(block.branches ?? [], softmax);
    const gate = golden32(`${name}.att.gate`) ?? golden32(`${name}.gate`);
    if (gate) expectClose(block.attention?.data ?? [], gate);
    const features = golden32(`${name}.att.k3`);
    if (!gate || !features || !block.attention) continue;
    const { width, height, channels } = block.attention;
    const plane = width * height;
    const part = (data: Float32Array, c: number) => data.subarray(c * plane, (c + 1) * plane);
    const means = Array.from({ length: channels }, (_, c) => {
      return part(gate, c).reduce((a, b) => a + b, 0) / plane;
    });
    for (const found of [block.enhanced, block.suppressed]) {
      const mean = found === block.enhanced ? Math.max(...means) : Math.min(...means);
      expect(found?.mean).toBeCloseTo(mean, 4);
      expect(means[found?.channel ?? -1]).toBeCloseTo(mean, 4);
      expectClose(found?.data ?? [], part(features, found?.channel ?? -1));
    }
  }
  for (const found of attention.clusters) {
    const codes = golden32('shared.kmeans_codes');
    if (!codes) continue;
    const length = found.width * found.height;
    expect(
      [...found.codes].map((code, i) => code + Math.floor(i / length) * found.clusters),
    ).toEqual([...codes]);
    const names = ['score', 'sort_order', 'undo_order', 'logsumexp'];
    const [score, order, undo, lse] = names.map((name) => golden32(`shared.${name}`));
    if (!score || !order || !undo || !lse) continue;
    expectNeighbours(found, dense(found, golden, { score, order, undo, lse }));
  }
  for (const found of attention.keys) {
    const weights = golden32(`${found.name}.attention_weights`);
    if (weights) expectClose(found.weights, weights);
    const map = golden32(`${found.name}.offset_map`);
    const plane = found.width * found.height;
    const isReleased = golden.name.includes('released');
    for (let t = 0; map && t < found.offsets.length / plane / 2; t++) {
      const from = (isReleased ? t : 2 * t) * plane;
      expectClose(
        found.offsets.subarray(2 * t * plane, 2 * (t + 1) * plane),
        map.subarray(from, from + 2 * plane),
      );
    }
    const mask = golden32('mask_logits');
    const isBinary = /A_gate|B_gate/.test(golden.name);
    if (mask && isBinary) {
      expect([...(found.gates ?? [])]).toEqual([...mask].map((v) => (v > 0 ? 1 : 0)));
    }
  }
  return seen;
}

function expectClose(actual: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(actual.length).toBe(wanted.length);
  const largest = Math.max(1, ...Array.from(wanted, Math.abs));
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i] - wanted[i]));
  }
  expect(worst / largest).toBeLessThanOrEqual(TOLERANCE);
}

interface Pattern {
  readonly score: Float32Array;
  readonly order: Float32Array;
  readonly undo: Float32Array;
  readonly lse: Float32Array;
}

/** Uses the golden tensors to compute the weight that every pixel assigns to every other pixel. */
function dense(
  { width, height, rounds }: AttentionClusters,
  golden: GoldenCase,
  { score, order, undo, lse }: Pattern,
): number[][] {
  const length = width * height;
  const [, , chunks, window, keys] = golden.expected.get('shared.score')?.shape ?? [];
  const padded = chunks * window;
  // The released code fills the last chunk by repeating the last rows of the sorted order.
  const sorted = (r: number, j: number): number => {
    const row = j < length ? j : length - 1 - ((padded - 1 - j) % length);
    return order[r * length + row] - r * length;
  };
  return Array.from({ length }, (_, i) => {
    const row = new Array<number>(length).fill(0);
    const places = Array.from({ length: rounds }, (_, r) => undo[r * length + i] - r * length);
    const logs = places.map((j, r) => Math.exp(lse[r * padded + j]));
    const total = logs.reduce((a, b) => a + b, 0);
    places.forEach((j, r) => {
      const chunk = Math.floor(j / window);
      const spans = [chunk, (chunk + chunks - 1) % chunks, (chunk + 1) % chunks];
      for (let k = 0; k < keys; k++) {
        const key = spans[Math.floor(k / window)] * window + (k % window);
        row[sorted(r, key)] += (logs[r] / total) * score[(r * padded + j) * keys + k];
      }
    });
    return row;
  });
}

function expectNeighbours(found: AttentionClusters, wanted: readonly number[][]): void {
  const { count } = found;
  wanted.forEach((row, i) => {
    const pixels = found.neighbours.subarray(i * count, (i + 1) * count);
    const weights = found.weights.subarray(i * count, (i + 1) * count);
    expectClose(weights, [...row].sort((a, b) => b - a).slice(0, count));
    weights.forEach((weight, n) => {
      if (weight > 0) expect(Math.abs(row[pixels[n]] - weight)).toBeLessThan(TOLERANCE);
    });
    expect(new Set(pixels.filter((_, n) => weights[n] > 0)).size).toBe(
      weights.filter((weight) => weight > 0).length,
    );
  });
}
