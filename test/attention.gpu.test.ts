import { basename } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findGoldenCases, readGoldenCases, SEEDED_GOLDENS } from '../src/cli/golden-cases.ts';
import { Engine } from '../src/engine/engine.ts';
import { trace } from '../src/engine/oracle/traceNetwork.ts';
import type { Backend } from '../src/node/backend.ts';
import { attentionOf, expectGoldenAttention } from './goldenAttention.ts';
import { testGpu } from './gpu.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

const seeded = ['tiny_a2n*', 'lcoan_tiny*', 'edsr_cla_tiny_x2*', 'acla_acl*']
  .flatMap((pattern) => findGoldenCases(pattern))
  .filter((file) => file.startsWith(SEEDED_GOLDENS));
// The full-size network with released weights is not in the repository.
const files = [...seeded, ...findGoldenCases('a2n_x2_17x13')];

test.each(files.map((file) => [basename(file, '.safetensors'), file]))(
  'the attention of %s on the GPU equals its goldens',
  async (_, file) => {
    const found = await readGoldenCases(file);
    if ('missing' in found) throw new Error(`no network ${found.missing}`);
    const backend: Pick<Backend, 'trace'> = { trace: (...args) => trace(engine, ...args) };
    for (const golden of found.filter(({ name }) => !name.endsWith('(k-means)'))) {
      expect(expectGoldenAttention(golden, await attentionOf(golden, backend))).not.toEqual([]);
    }
  },
);
