/**
 * npm run bench:cpu: measures each kind of layer on the CPU backend, and the speed of arithmetic in
 * registers alone.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { findModel, MODEL_FILES } from '../src/catalog/files.ts';
import { choice, positiveInteger, runCommand } from '../src/cli/command.ts';
import { readImage } from '../src/node/images.ts';
import { PACKAGE_ROOT } from '../src/node/model.ts';
import { assembleRegisters } from './assembled.ts';
import { openPage } from './chromium.ts';
import { formatEstimated, measureEstimates } from './estimates.ts';
import { formatLayers, type Layers, type LayersRequest, measureLayers } from './layers.ts';
import { parseSize } from './options.ts';

const USAGE = `
npm run bench:cpu -- [options]

Times each kind of layer of a model on the CPU backend on one thread, against a loop of multiply-adds that
touches nothing but registers, in the same run.

  --chromium              in a page of a headless Chromium instead of Node
  --variant simd|relaxed  default: the best that the runtime has
  --model ID              default a2n-x2
  --size N                side of the picture, default 64
  --json                  one JSON object instead of the table
  --estimates             instead: estimated and actual milliseconds of whole jobs in Node
  --models A,B            for these, default all that are shipped
  --sizes 64x64,300x200   at these sizes, default 64x64,300x200,512x512
  --threads 1,2           on these numbers of threads, default 1,2`;

await runCommand(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      chromium: { type: 'boolean', default: false },
      variant: { type: 'string' },
      model: { type: 'string', default: 'a2n-x2' },
      size: { type: 'string', default: '64' },
      json: { type: 'boolean', default: false },
      estimates: { type: 'boolean', default: false },
      models: { type: 'string', default: MODEL_FILES.map(({ id }) => id).join() },
      sizes: { type: 'string', default: '64x64,300x200,512x512' },
      threads: { type: 'string', default: '1,2' },
    },
  });
  const { variant } = values;
  if (values.estimates) {
    if (!values.json) console.log('model                  size threads  estimated actual  ratio');
    const rows = await measureEstimates(
      values.models.split(','),
      values.sizes.split(',').map(sizeOf),
      values.threads.split(',').map((n) => positiveInteger('--threads', n)),
      (row) => {
        if (!values.json) console.log(formatEstimated(row));
      },
    );
    if (values.json) console.log(JSON.stringify(rows));
    return 0;
  }
  const request: LayersRequest = {
    model: findModel(values.model).id,
    size: positiveInteger('--size', values.size),
    variant:
      variant === undefined ? null : choice('--variant', variant, ['simd', 'relaxed'] as const),
    registers: await assembleRegisters(),
  };
  const layers = values.chromium ? await inChromium(request) : await inNode(request);
  console.log(values.json ? JSON.stringify(layers) : formatLayers(layers));
  return 0;
});

function sizeOf(text: string) {
  const [width, height] = parseSize(text);
  return { width, height };
}

async function inNode(request: LayersRequest): Promise<Layers> {
  // In Node 20, relaxed SIMD requires a flag.
  if (request.variant === 'relaxed') setFlagsFromString('--experimental-wasm-relaxed-simd');
  const { file } = findModel(request.model);
  const weights = await readFile(join(PACKAGE_ROOT, 'public/models', file));
  const photo = await readImage(join(PACKAGE_ROOT, 'public/samples/cat.jpg'));
  return measureLayers(new Uint8Array(weights), photo, request);
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
