import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { readImage } from '../src/node/images.ts';
import { assembleRegisters } from './assembled.ts';
import { formatLayers, measureLayers } from './layers.ts';

it('times every kind of layer, and all of their multiply-adds', async () => {
  const weights = new Uint8Array(await readFile('public/models/a2n-x2.safetensors'));
  const registers = await assembleRegisters();
  const photo = await readImage('public/samples/cat.jpg');
  const request = { model: 'a2n-x2', size: 16, variant: 'simd', registers } as const;
  const measured = await measureLayers(weights, photo, request);
  const { layers, peakGflops, milliseconds } = measured;
  const gigaflops = layers.map((layer) => ((layer.gflops ?? 0) * layer.milliseconds) / 1e3);
  const all = gigaflops.reduce((a, b) => a + b, 0);
  expect(all).toBeCloseTo((2 * 1074072 * 256) / 1e9, 4);
  const conv = layers.find(({ kind }) => kind === 'conv 3x3 40 -> 40');
  expect(conv?.steps).toBe(65);
  expect(conv?.share).toBeCloseTo((conv?.gflops ?? 0) / peakGflops, 6);
  // Tiles of 2x2 pixels need only 4/9 of the products. Since the nominal multiply-adds are counted,
  // the share can exceed 1, up to 9/4. A lower share would mean that sums are no longer in
  // registers. Other work on the machine hardly affects the best of many steps and rounds.
  expect(conv?.share).toBeGreaterThan(0.8);
  expect(conv?.share).toBeLessThan(2.25);
  const steps = layers.reduce((sum, layer) => sum + layer.milliseconds, 0);
  expect(steps).toBeLessThanOrEqual(milliseconds);
  expect(formatLayers(measured)).toMatch(/65 x conv 3x3 40 -> 40 .* GFLOP\/s +\d+ %/);
});
