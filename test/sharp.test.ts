import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { MODEL_FILES, type ModelFile } from '../src/catalog/files.ts';
import { findPython } from '../src/cli/torch.ts';

// Sharp models must look more like the original than photo models do, as SqueezeNet sees it: on
// Set14 at JPEG 80, by maps that training does not use.
const shared = process.env.CRISPEN_SHARED ?? resolve(import.meta.dirname, '../../shared');
const images = join(shared, 'images/Set14');
const features = join(shared, 'weights/features/squeezenet1_1.pt');
const folder = resolve(import.meta.dirname, '../training');
const python = findPython();
const canMeasure = python !== undefined && existsSync(images) && existsSync(features);
if (!canMeasure) {
  console.warn('SKIPPED: the sharp models need Set14, SqueezeNet and python3 with torch.');
}

interface Figures {
  readonly jpeg80: number;
  readonly held: number;
}

function measure({ network, scale, file }: ModelFile): Figures {
  const weights = resolve(import.meta.dirname, '../public/models', file);
  const size = ['--network', network, '--scale', String(scale), '--task', 'web'];
  const { status, stdout, stderr } = spawnSync(
    python as string,
    ['evaluate.py', images, weights, ...size, '--only', 'jpeg80', '--features', features],
    {
      cwd: folder,
      encoding: 'utf8',
      // Several threads of OpenBLAS get in each other's way here.
      env: { ...process.env, OPENBLAS_NUM_THREADS: '1' },
    },
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

test.skipIf(!canMeasure).each(MODEL_FILES.filter(({ kind }) => kind === 'sharp'))(
  '$id is at least 15 % closer to the originals than photo models of its scale, at most 1.6 dB below (needs Set14, SqueezeNet and torch)',
  (sharp) => {
    const made = measure(sharp);
    const photos = MODEL_FILES.filter((f) => f.kind === 'photo' && f.scale === sharp.scale);
    expect(photos.length).toBeGreaterThan(0);
    for (const photo of photos) {
      const usual = measure(photo);
      expect(made.held).toBeLessThan(0.85 * usual.held);
      if (photo.network !== sharp.network) continue;
      expect(made.jpeg80).toBeGreaterThan(usual.jpeg80 - 1.6);
    }
  },
  600_000,
);
