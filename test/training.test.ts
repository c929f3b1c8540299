import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { compareGolden, readGoldenCases } from '../src/cli/golden-cases.ts';
import { findPython, openTorch } from '../src/cli/torch.ts';
import { openBackend } from '../src/node/backend.ts';
import { chooseModel } from '../src/node/model.ts';

// The networks that are trained in Python must be the same as the networks that Crispen runs. Both
// get the same random weights, and the CPU interpreter must compute the same output as PyTorch.
const folder = resolve(import.meta.dirname, '../training');
const scratch = mkdtempSync(join(tmpdir(), 'crispen-training-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const python = findPython();

const CASES = [
  ['a2n', 1],
  ['a2n', 2],
  ['a2n', 3],
  ['a2n', 4],
  ['a2nm', 2],
  ['pan', 2],
  ['pan', 4],
  ['lcoan', 2],
  ['lcoan', 4],
  ['acla', 1],
  ['acla', 2],
  ['acla', 3],
  ['asid', 2],
  ['asid', 3],
] as const;

test.skipIf(!python).each(CASES)(
  'PyTorch and the CPU interpreter agree on %s x%i (needs python3 with torch, numpy, PIL)',
  async (network, scale) => {
    const file = join(scratch, `${network}-${scale}.safetensors`);
    const made = spawnSync(python as string, ['golden.py', network, String(scale), file], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(made.status, made.stderr).toBe(0);
    const read = await readGoldenCases(file);
    if ('missing' in read) throw new Error(`no network ${read.missing}`);
    // The Python code implements the first of ACLA's two offset layouts.
    const [golden] = read;
    const backend = await openBackend('oracle');
    try {
      const [output] = await compareGolden(golden, backend, { fuse: false });
      expect(output.error).toBeNull();
      expect(output.maxRel).toBeLessThan(1e-5);
    } finally {
      backend.close();
    }
  },
);

// At these sizes, LCoAN's sorted pixels form two windows, and ASID cuts the picture into two tiles.
const PICTURES = [
  ['a2n-jpeg-x1', 9, 7],
  ['a2n-jpeg-x1', 16, 5],
  ['acla-x2', 9, 7],
  ['acla-denoise-x1', 9, 7],
  ['lcoan-x2', 25, 17],
  ['asid-x2', 70, 9],
] as const;

test.skipIf(!python).each(PICTURES)(
  'PyTorch runs %s on a picture of %i x %i as the CPU does (needs python3 with torch, numpy, PIL)',
  async (model, width, height) => {
    const { network, weights } = await chooseModel({ model });
    const backends = [openTorch(), await openBackend('cpu')];
    try {
      const [torch, cpu] = await Promise.all(backends.map((b) => b.load(network, weights)));
      // The picture contains smooth waves with some variation from pixel to pixel.
      const data = new Uint8ClampedArray(width * height * 4).map((_, i) =>
        i % 4 === 3 ? 255 : 128 + 90 * Math.sin(i / 23) + ((i * 37) % 31),
      );
      const [ours, theirs] = [
        await cpu({ width, height, data }),
        await torch({ width, height, data }),
      ];
      expect(theirs.image).toMatchObject({
        width: width * network.scale,
        height: height * network.scale,
      });
      const apart = theirs.image.data.map((value, i) => Math.abs(value - ours.image.data[i]));
      expect(Math.max(...apart)).toBeLessThanOrEqual(1);
      expect(theirs.image.data).not.toEqual(data);
    } finally {
      for (const backend of backends) backend.close();
    }
  },
);

test.skipIf(!python)(
  'the training code passes its own tests (needs python3 with torch)',
  () => {
    const { status, stderr } = spawnSync(python as string, ['-m', 'unittest', 'test_training'], {
      cwd: folder,
      encoding: 'utf8',
      env: {
        ...process.env,
        // On busy cores, several threads are slower than one.
        OMP_NUM_THREADS: '1',
        CRISPEN_SHARED: process.env.CRISPEN_SHARED ?? resolve(folder, '../../shared'),
      },
    });
    expect(status, stderr).toBe(0);
    // The test runs many small training jobs, which take half a minute on one core.
  },
  300_000,
);
