import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { multiplyAddsPerPixel } from '../graph/analysis.ts';
import { createNetwork } from '../networks/registry.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import { defaultModel, findModel } from './files.ts';
import { MODELS } from './manifest.ts';
import { shippedModel, shippedNetwork } from './network.ts';

/**
 * Matches the names of tensors that are not weights of the network. Only LCoAN and ACLA files
 * contain such tensors. The files of both families contain the mean colour that is subtracted from
 * the input and added to the output. LCoAN files also contain the convolution into which the added
 * mean is folded, and a flag that says whether the k-means centroids were ever initialised.
 */
const FOLDED = /^(sub_mean|add_mean|tail\.1)\.|\.kmeans\.initted$/;
const folder = new URL('../../public/models/', import.meta.url);

describe.each(MODELS)('$id', (entry) => {
  const file = readFileSync(new URL(entry.file, folder));

  test('is the file that the manifest describes', () => {
    expect(file.length).toBe(entry.bytes);
    expect(createHash('sha256').update(file).digest('hex')).toBe(entry.sha256);
  });

  test('has exactly the weights that its network names', async () => {
    const { scale, inputRange } = entry;
    const network = createNetwork(entry.network, entry);
    const { graph } = await shippedNetwork(entry);
    expect(graph.weights).toEqual(network.graph.weights);
    expect(graph.nodes.map(({ name, op }) => [name, op])).toEqual(
      network.graph.nodes.map(({ name, op }) => [name, op]),
    );
    const { tensors } = readSafetensors(file);
    const found = await shippedModel(entry, tensors);
    expect(found.network).toMatchObject({ scale, inputRange, architecture: network.architecture });
    const inFile = [...found.weights].map(([name, { shape }]) => ({ name, shape }));
    // The file can contain tensors that are not weights of the network. Such tensors set options of
    // the network or are folded into its weights.
    const isFolded = found.weights !== tensors;
    const named = new Set(found.network.graph.weights.map(({ name }) => name));
    const used = isFolded ? inFile.filter(({ name }) => named.has(name)) : inFile;
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(used.sort(byName)).toEqual([...network.graph.weights].sort(byName));
    const other = ({ name }: { name: string }) => !named.has(name);
    for (const { name } of inFile.filter(other)) expect(name).toMatch(FOLDED);
  });

  test('keeps the size if it restores, and tells what of', () => {
    const { task, scale, quality } = entry;
    expect(scale === 1).toBe(task !== 'upscale');
    if (task === 'upscale') return;
    const { jpeg, noise, set5, set14 } = quality.input ?? {};
    expect(task === 'dejpeg' ? jpeg : noise).toBeGreaterThan(0);
    expect(quality.set5).toBeGreaterThan(set5 as number);
    expect(quality.set14).toBeGreaterThan(set14 as number);
  });

  test('starts from a model that exists', () => {
    const { startedFrom } = entry.training;
    // A2N-M can start from A2N weights whose names and shapes match its own, so the two networks
    // count as one family.
    const family = (network: string) => network.replace('a2nm', 'a2n');
    if (startedFrom !== null) {
      expect(family(findModel(startedFrom).network)).toBe(family(entry.network));
    }
  });
});

test('every shipped weight file is in the manifest, under one id', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  expect(MODELS.map(({ file }) => file).sort()).toEqual(files.sort());
  expect(new Set(MODELS.map(({ id }) => id)).size).toBe(MODELS.length);
});

test('every kind has one best and one fast model at each of its scales', () => {
  const marked = MODELS.flatMap(({ kind, scale, best, fast }) => [
    ...(best ? [`${kind} ${scale} best`] : []),
    ...(fast ? [`${kind} ${scale} fast`] : []),
  ]);
  const wanted = new Set(
    MODELS.filter(({ kind }) => kind).flatMap(({ kind, scale }) => [
      `${kind} ${scale} best`,
      `${kind} ${scale} fast`,
    ]),
  );
  expect(marked.sort()).toEqual([...wanted].sort());
});

test('builds a network of the sizes that a file has', async () => {
  const sizes = { scale: 1, features: 8, blocks: 2 } as const;
  const file = { ...findModel('a2n-x2'), task: 'dejpeg', ...sizes } as const;
  const network = await shippedNetwork(file);
  expect(network).toEqual(createNetwork('a2n', sizes));
  expect(network.graph.weights.some(({ name }) => name.startsWith('AAB_trunk.2.'))).toBe(false);
});

test.each([2, 3, 4])(
  'the fast photo model for x%i is at most 0.15 dB below the best one',
  (scale) => {
    const [best, fast] = (['best', 'fast'] as const).map((speed) => {
      const { id } = defaultModel(scale, speed);
      return MODELS.find((entry) => entry.id === id)?.quality;
    });
    expect(fast?.set5).toBeGreaterThan((best?.set5 ?? Number.NaN) - 0.15);
    expect(fast?.set14).toBeGreaterThan((best?.set14 ?? Number.NaN) - 0.15);
  },
);

test.each([2, 4])(
  'the fast photo model for x%i needs at most a third of the multiply-adds of the best one',
  async (scale) => {
    const [best, fast] = await Promise.all(
      (['best', 'fast'] as const).map(async (speed) => {
        const { graph } = await shippedNetwork(defaultModel(scale, speed));
        return multiplyAddsPerPixel(graph);
      }),
    );
    expect(fast).toBeLessThan(best / 3);
  },
);

test('finds models by id and by scale', () => {
  expect(findModel('a2n-x3').scale).toBe(3);
  expect([2, 3, 4].map((scale) => defaultModel(scale).id)).toEqual([
    'a2n-photo-x2',
    'pan-photo-x3',
    'a2n-photo-x4',
  ]);
  expect([2, 3, 4].map((scale) => defaultModel(scale, 'fast').id)).toEqual([
    'pan-photo-x2',
    'pan-photo-x3',
    'pan-photo-x4',
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
