import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestF16Adapter, testGpu } from '../../test/gpu.ts';
import { createNetwork } from '../networks/registry.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { Fusion } from './compile/fuse.ts';
import { Engine } from './engine.ts';
import { matrixUnit } from './gpu/matrix.ts';
import { interpret } from './oracle/interpreter.ts';
import { trace } from './oracle/traceNetwork.ts';
import { tuningOf } from './tune/tuning.ts';
import type { AdapterReport } from './types.ts';

const adapter = await requestF16Adapter();

const photo = { width: 24, height: 20 };

/** Generates an image that resembles a photo: it has smooth gradients, an edge and texture. */
function input(): Float32Array {
  const { width, height } = photo;
  return Float32Array.from({ length: 3 * width * height }, (_, i) => {
    const [c, y, x] = [Math.floor(i / (width * height)), Math.floor(i / width) % height, i % width];
    return 120 + 60 * Math.sin(x / 4 + c) + (x > y ? 40 : 0) + 12 * Math.sin(x * 2.1 + y * 1.7);
  });
}

async function expectNear(engine: Engine, fuse: Fusion): Promise<void> {
  const file = new Uint8Array(readFileSync('public/models/a2n-photo-x2.safetensors'));
  const weights: TensorMap = readSafetensors(file).tensors;
  const network = createNetwork('a2n', { scale: 2 });
  const source = { ...photo, data: input() };
  const half = await trace(engine, network, weights, source, ['output'], {
    fuse,
    precision: 'f16',
  });
  const exact = await interpret(network, weights, source, ['output']);
  const [a, b] = [half, exact].map((traced) => traced.get('output')?.data as Float32Array);
  const off = a.filter((v, i) => !(Math.abs(v - b[i]) <= 1)).length;
  expect(a.length).toBe(3 * 48 * 40);
  expect(off / a.length).toBeLessThanOrEqual(0.001);
  // Checks that the run really uses f16. In f32, the error would be a thousand times smaller.
  const worst = Math.max(...a.map((v, i) => Math.abs(v - b[i])));
  expect(worst).toBeGreaterThan(1e-3);
}

const matrix = adapter && matrixUnit(adapter, 32768);
const plain = { fuse: 'ops', conv: 'plain', tileColumns: 8 } as const;

// CONTRIBUTING.md names an adapter that has subgroup matrices.
describe.skipIf(!matrix)('matrices of subgroups (skipped without an adapter that has them)', () => {
  it('keep A2N x2 within 1/255 of f32', async () => {
    const half = { ...plain, conv: 'matrix' } as const;
    const tuning = (report: AdapterReport) => tuningOf({ ...plain, half }, report);
    const engine = await Engine.create({ gpu: testGpu(), tuning });
    try {
      expect(engine.adapter.matrix).toEqual(matrix);
      await expectNear(engine, 'ops');
    } finally {
      engine.destroy();
    }
  });
});

describe.skipIf(!adapter)('f16', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.create({ gpu: testGpu() });
  });
  afterAll(() => engine.destroy());

  it.each(['ops', 'blocks'] as const)('keeps A2N x2 within 1/255 of f32, fused as %s', (fuse) =>
    expectNear(engine, fuse),
  );

  it('takes half of the memory', async () => {
    const file = 'public/models/a2n-photo-x2.safetensors';
    expect(existsSync(file)).toBe(true);
    const { tensors } = readSafetensors(new Uint8Array(readFileSync(file)));
    const network = createNetwork('a2n', { scale: 2 });
    const image = { ...photo, data: new Uint8ClampedArray(24 * 20 * 4).fill(99) };
    const bytes: number[] = [];
    for (const precision of ['f32', 'f16'] as const) {
      const model = await engine.loadModel(network, tensors, { precision, fuse: 'ops' });
      bytes.push((await engine.upscale(model, image)).report.gpuBytes);
      await engine.unloadModel(model);
    }
    expect(bytes[1]).toBeLessThan(0.62 * bytes[0]);
  });
});
