import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  compareGolden,
  FUSED_OUTPUT,
  findGoldenCases,
  isOff,
  readGoldenCase,
} from '../src/cli/golden-cases.ts';
import { Engine } from '../src/engine/engine.ts';
import { trace } from '../src/engine/oracle/traceNetwork.ts';
import type { Backend } from '../src/node/backend.ts';
import { testGpu } from './gpu.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

/**
 * One case for each kind of layer. `npm run golden` compares all others, which take minutes to
 * compile.
 */
const CASES = [
  'compact_x1_13x9',
  'compact_x4_9x8',
  'span_x2_11x7',
  'span_x2_nonorm_8x6',
  'rrdb_plus_x4_8x6',
  'rrdb_x1_unshuffle_14x11_pad',
  'edsr_x3_9x7',
  'edsr_basicsr_x4_8x6',
];

test.each(CASES)('%s on the GPU, fused and not', async (name) => {
  const [file] = findGoldenCases(name);
  const golden = await readGoldenCase(file);
  if ('missing' in golden) throw new Error(`${golden.name}: no network ${golden.missing}`);
  const backend: Pick<Backend, 'trace'> = { trace: (...args) => trace(engine, ...args) };
  const comparisons = await compareGolden(golden, backend, { fuse: true });
  expect(comparisons.map(({ tensor }) => tensor)).toEqual([
    ...golden.expected.keys(),
    FUSED_OUTPUT,
  ]);
  expect(comparisons.filter((comparison) => isOff(comparison))).toEqual([]);

  const unfused = await compareGolden(golden, backend, { fuse: false });
  expect(unfused.length).toBe(golden.expected.size);
  expect(unfused.filter((comparison) => isOff(comparison))).toEqual([]);
});
