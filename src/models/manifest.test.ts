import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../weights/safetensors.ts';
import { defaultModel, findModel } from './files.ts';
import { createNetwork } from './index.ts';
import { MODELS } from './manifest.ts';

const folder = new URL('../../public/models/', import.meta.url);

describe.each(MODELS)('$id', (entry) => {
  const file = readFileSync(new URL(entry.file, folder));

  test('is the file that the manifest describes', () => {
    expect(file.length).toBe(entry.bytes);
    expect(createHash('sha256').update(file).digest('hex')).toBe(entry.sha256);
  });

  test('has exactly the weights that its network names', () => {
    const { scale, inputRange } = entry;
    const network = createNetwork(entry.network, { scale, inputRange });
    const inFile = [...readSafetensors(file).tensors].map(([name, { shape }]) => ({ name, shape }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(inFile.sort(byName)).toEqual([...network.graph.weights].sort(byName));
    expect(network).toMatchObject({ scale, inputRange });
  });

  test('starts from a model that exists', () => {
    const { startedFrom } = entry.training;
    if (startedFrom !== null) expect(findModel(startedFrom).network).toBe(entry.network);
  });
});

test('every shipped weight file is in the manifest, under one id', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  expect(MODELS.map(({ file }) => file).sort()).toEqual(files.sort());
  expect(new Set(MODELS.map(({ id }) => id)).size).toBe(MODELS.length);
});

test('finds models by id and by scale', () => {
  expect(findModel('a2n-x3').scale).toBe(3);
  expect([2, 3, 4].map((scale) => defaultModel(scale).id)).toEqual([
    'a2n-photo-x2',
    'a2n-x3',
    'a2n-photo-x4',
  ]);
  for (const id of ['', 'a2n-x5', '__proto__']) {
    expect(() => findModel(id)).toThrow(
      expect.objectContaining({
        code: 'MODEL_UNKNOWN',
        hint: expect.stringContaining('a2n-photo-x4'),
      }),
    );
  }
  for (const scale of [1, 5, 2.5, Number.NaN]) {
    expect(() => defaultModel(scale)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  }
});
