import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  compareGolden,
  FUSED_OUTPUT,
  findGoldenCases,
  isOff,
  readGoldenCases,
} from '../src/cli/golden-cases.ts';
import { Engine } from '../src/engine/engine.ts';
import { trace } from '../src/engine/oracle/traceNetwork.ts';
import type { Backend } from '../src/node/backend.ts';
import { testGpu } from './gpu.ts';
import { OWN_GOLDENS, TINY_GOLDENS } from './seededGoldens.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

/** Compares every tensor in the case on the GPU, fused and unfused. */
async function compare(file: string): Promise<void> {
  const goldens = await readGoldenCases(file);
  if ('missing' in goldens) throw new Error(`${goldens.name}: no network ${goldens.missing}`);
  const backend: Pick<Backend, 'trace'> = { trace: (...args) => trace(engine, ...args) };
  for (const golden of goldens) {
    const comparisons = await compareGolden(golden, backend, { fuse: true });
    expect(comparisons.map(({ tensor }) => tensor)).toEqual([
      ...golden.expected.keys(),
      FUSED_OUTPUT,
    ]);
    expect(comparisons.filter((comparison) => isOff(comparison))).toEqual([]);
  }
}

test('the seeded goldens are in the repository', () => {
  expect(TINY_GOLDENS).toHaveLength(4);
});

describe('seeded networks', () => {
  for (const file of OWN_GOLDENS) test(basename(file), () => compare(file));
});

/**
 * Full-size networks. They are not in the repository, so these tests are skipped in a fresh clone.
 */
const SHARED = [
  'a2n_x2_17x13',
  'a2n_x2_32x24',
  'a2n_x3_17x13',
  'a2n_x3_32x24',
  'a2n_x4_seeded_17x13',
  'a2nm_x4_seeded_17x13',
];

describe('full-size networks', () => {
  for (const name of SHARED) {
    const [file] = findGoldenCases(name);
    test.skipIf(file === undefined)(name, () => compare(file));
  }
});
