import { expect, it } from 'vitest';
import { fuzz } from './run.ts';

it('300 changed files of every format: read or refused, in bounds', async () => {
  const faults: string[] = [];
  const counts = await fuzz({ mutations: 300, seed: 20, onFault: (what) => faults.push(what) });
  expect(faults).toEqual([]);
  expect(Object.keys(counts).sort()).toEqual([
    'avif',
    'bmp',
    'gif',
    'jpeg',
    'png',
    'safetensors',
    'tiff',
    'torch-legacy',
    'torch-zip',
    'webp',
  ]);
  for (const [format, { files, typed, untyped, slow, large, read }] of Object.entries(counts)) {
    expect([format, files, untyped, slow, large]).toEqual([format, 300, 0, 0, 0]);
    // Lower counts would mean that the changes do not exercise the readers. BMP is exempt, because
    // sharp cannot read it.
    expect(typed, format).toBeGreaterThan(30);
    if (format !== 'bmp') expect(read, format).toBeGreaterThan(10);
  }
}, 300_000);
