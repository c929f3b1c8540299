/**
 * npm run bench:cpu: each kind of layer on the CPU backend, next to the speed in registers alone.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { choice, positiveInteger, runCommand } from '../src/cli/command.ts';
import { PACKAGE_ROOT } from '../src/node/model.ts';
import { assembleRegisters } from './assembled.ts';
import { openPage } from './chromium.ts';
import { formatLayers, type Layers, type LayersRequest, measureLayers } from './layers.ts';
import { modelOf } from './session.ts';

const USAGE = `
npm run bench:cpu -- [options]

Times each kind of layer of A2N x2 on the CPU backend on one thread, against a loop of multiply-adds that
touches nothing but registers, in the same run.

  --chromium              in a page of a headless Chromium instead of Node
  --variant simd|relaxed  default: the best that the runtime has
  --size N                side of the picture, default 64
  --json                  one JSON object instead of the table`;

await runCommand(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      chromium: { type: 'boolean', default: false },
      variant: { type: 'string' },
      size: { type: 'string', default: '64' },
      json: { type: 'boolean', default: false },
    },
  });
  const { variant } = values;
  const request: LayersRequest = {
    size: positiveInteger('--size', values.size),
    variant:
      variant === undefined ? null : choice('--variant', variant, ['simd', 'relaxed'] as const),
    registers: await assembleRegisters(),
  };
  const layers = values.chromium ? await inChromium(request) : await inNode(request);
  console.log(values.json ? JSON.stringify(layers) : formatLayers(layers));
  return 0;
});

async function inNode(request: LayersRequest): Promise<Layers> {
  // Node 20 has relaxed SIMD behind a flag.
  if (request.variant === 'relaxed') setFlagsFromString('--experimental-wasm-relaxed-simd');
  const weights = await readFile(join(PACKAGE_ROOT, 'public/models', modelOf(2).file));
  return measureLayers(new Uint8Array(weights), request);
}

async function inChromium(request: LayersRequest): Promise<Layers> {
  const { page, close } = await openPage('layers', { webgpu: false, weights: null });
  try {
    return await page.evaluate((request) => {
      const { crispenLayers } = window as typeof window & {
        crispenLayers?: (request: LayersRequest) => Promise<Layers>;
      };
      if (!crispenLayers) throw new Error('The page has no bench.');
      return crispenLayers(request);
    }, request);
  } finally {
    await close();
  }
}
