/**
 * Tests that jobs avoid waiting: kernels are compiled before the weights arrive, buffers are
 * reused, and each tile is read back while the next one is computed.
 */
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { difference, picture } from '../../../test/pictures.ts';
import { readGoldenCase, SEEDED_GOLDENS } from '../../cli/golden-cases.ts';
import { Engine } from '../engine.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());
afterEach(() => vi.restoreAllMocks());

async function tiny() {
  const golden = await readGoldenCase(`${SEEDED_GOLDENS}/tiny_a2n_x4_8x8.safetensors`);
  if ('missing' in golden) throw new Error('no golden');
  return golden;
}

it('compiles without weights all that they will need', async () => {
  const { network, weights } = await tiny();
  const compile = vi.spyOn(GPUDevice.prototype, 'createComputePipelineAsync');
  await engine.prepare(network);
  const compiled = compile.mock.calls.length;
  expect(compiled).toBeGreaterThan(3);
  await engine.loadModel(network, weights);
  expect(compile).toHaveBeenCalledTimes(compiled);
});

it('allocates nothing for a second image of the same size', async () => {
  const { network, weights } = await tiny();
  const model = await engine.loadModel(network, weights);
  const first = await engine.upscale(model, picture(13, 9));
  const made = (['createBuffer', 'createTexture', 'createBindGroup'] as const).map((name) =>
    vi.spyOn(GPUDevice.prototype, name),
  );
  const second = await engine.upscale(model, picture(13, 9));
  for (const calls of made) expect(calls).not.toHaveBeenCalled();
  expect(difference(first.image, second.image).worst).toBe(0);
  await engine.upscale(model, picture(14, 9));
  expect(made[0]).toHaveBeenCalled();
});

it('submits a small image once where the device is fast enough', async () => {
  const { network, weights } = await tiny();
  const model = await engine.loadModel(network, weights);
  const submit = vi.spyOn(GPUQueue.prototype, 'submit');
  await engine.upscale(model, picture(8, 8), { submitMs: () => 1e4 });
  expect(submit).toHaveBeenCalledTimes(1);
});

it('has the next tile computed while one is read back', async () => {
  const { network, weights } = await tiny();
  const model = await engine.loadModel(network, weights);
  const options = { tileSize: 8, statistics: 'estimated', submitMs: () => 1e4 } as const;
  const events: string[] = [];
  const submit = GPUQueue.prototype.submit;
  vi.spyOn(GPUQueue.prototype, 'submit').mockImplementation(function (this: GPUQueue, buffers) {
    events.push('submitted');
    return submit.call(this, buffers);
  });
  const map = GPUBuffer.prototype.mapAsync;
  vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockImplementation(function (this: GPUBuffer, ...args) {
    const mapped = map.apply(this, args);
    return mapped.then(() => void events.push('read'));
  });
  const { report } = await engine.upscale(model, picture(24, 8), options);
  expect(report.tiles).toBe(3);
  // Before the first tile, the engine gathers the statistics of the image. To do so, it also
  // submits work and reads a buffer. Only the later events are compared. There is one submission
  // per tile, and a tile is read after the next one is submitted.
  const tiles = ['submitted', 'submitted', 'read', 'submitted', 'read', 'read'];
  expect(events.slice(-tiles.length)).toEqual(tiles);
});
