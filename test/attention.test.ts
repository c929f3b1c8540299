import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findGoldenCases, readGoldenCases, SEEDED_GOLDENS } from '../src/cli/golden-cases.ts';
import {
  attentionBytes,
  attentionTaps,
  channelMeans,
  readAttention,
} from '../src/engine/oracle/attention.ts';
import { createNetwork } from '../src/networks/registry.ts';
import { openBackend } from '../src/node/backend.ts';
import { attentionOf, expectGoldenAttention } from './goldenAttention.ts';

/** For each kind of network, the tensors that must be compared. */
const WANTED: readonly [pattern: string, tensors: readonly string[]][] = [
  [
    'tiny_a2n*',
    ['block0.adm_softmax', 'block1.adm_softmax', 'block0.att.gate', 'block0.att.k3', 'up1.gate'],
  ],
  ['lcoan_tiny*', ['shared.kmeans_codes', 'shared.score']],
  ['edsr_cla_tiny*', ['stage0.attention_weights', 'stage0.offset_map']],
  ['acla_acl*', ['module.offset_map', 'mask_logits']],
];

const cases = WANTED.flatMap(([pattern, tensors]) =>
  findGoldenCases(pattern)
    .filter((file) => file.startsWith(SEEDED_GOLDENS))
    .map((file) => [basename(file, '.safetensors'), file, tensors] as const),
);

test('there are goldens of each kind', () => expect(cases).toHaveLength(13));

describe.each(['oracle', 'cpu'] as const)('on the backend %s', (device) => {
  test.each(cases)('the attention of %s equals its goldens', async (_, file, tensors) => {
    const backend = await openBackend(device, {}, 1);
    const found = await readGoldenCases(file);
    if ('missing' in found) throw new Error(`no network ${found.missing}`);
    // A case that expects only the tensors of k-means has no attention tensors.
    const checked = found.filter(({ name }) => !name.endsWith('(k-means)'));
    for (const golden of checked) {
      const seen = expectGoldenAttention(golden, await attentionOf(golden, backend));
      expect(seen).toEqual(expect.arrayContaining([...tensors]));
    }
    backend.close();
  });

  const [full] = findGoldenCases('a2n_x2_17x13');
  if (!full)
    console.warn('SKIPPED: the goldens of the released A2N; set CRISPEN_SHARED to test them.');
  test.skipIf(full === undefined)('the branch weights of the released A2N', async () => {
    const backend = await openBackend(device, {}, 1);
    const found = await readGoldenCases(full);
    if ('missing' in found) throw new Error('no A2N');
    const seen = expectGoldenAttention(found[0], await attentionOf(found[0], backend));
    expect(seen.filter((name) => name.endsWith('adm_softmax'))).toHaveLength(16);
    backend.close();
  });
});

test('networks without attention have nothing to tap', () => {
  const network = createNetwork('compact', { scale: 2, features: 8, blocks: 2 });
  expect(attentionTaps(network)).toEqual([]);
  expect(attentionBytes(network, { width: 9, height: 7 })).toBe(0);
  expect(readAttention(network, new Map(), { width: 9, height: 7 })).toEqual({
    blocks: [],
    clusters: [],
    keys: [],
  });
});

test('the size of a result is known before the run', () => {
  const a2n = createNetwork('a2n', { scale: 2 });
  // The sum counts the gate and the gated map in 16 blocks with 40 channels, and in the upsampler,
  // which has 24 channels at twice the size. Each block adds two branch weights.
  const pixels = 9 * 7;
  expect(attentionBytes(a2n, { width: 9, height: 7 })).toBe(
    4 * (2 * (16 * 40 + 24 * 4) * pixels + 16 * 2),
  );
});

test('means per channel', () => {
  const data = Float32Array.from([1, 2, 3, 4, 0, 0, 0, 1]);
  expect(channelMeans({ channels: 2, width: 2, height: 2, data })).toEqual([2.5, 0.25]);
});
