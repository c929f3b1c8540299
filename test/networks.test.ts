import { expect, test } from 'vitest';
import { compareGolden, findGoldenCases, isOff, readGoldenCase } from '../src/cli/golden-cases.ts';
import { openBackend } from '../src/node/backend.ts';

/**
 * Golden files for the networks that are detected in checkpoints. Files that are too large for the
 * repository are in the shared folder.
 */
const files = ['compact_*', 'span_*', 'rrdb_*', 'edsr_x*', 'edsr_basicsr*', 'pan_x4_17x13'].flatMap(
  (pattern) => findGoldenCases(pattern),
);

test('the repository has seeded goldens of every family', () => {
  const here = files.filter((file) => file.includes('test/golden'));
  expect(here.length).toBeGreaterThanOrEqual(17);
  for (const family of ['compact', 'span', 'rrdb', 'edsr']) {
    expect(here.some((file) => file.includes(`/${family}_`))).toBe(true);
  }
});

test.each(files)('the CPU interpreter agrees with %s', async (file) => {
  const golden = await readGoldenCase(file);
  if ('missing' in golden) throw new Error(`${golden.name}: no network ${golden.missing}`);
  const comparisons = await compareGolden(golden, await openBackend('oracle'), { fuse: false });
  expect(comparisons.map(({ tensor }) => tensor)).toEqual([...golden.expected.keys()]);
  // SPAN multiplies large values by small values. The goldens themselves differ from f64 by as
  // much.
  expect(comparisons.filter((comparison) => isOff(comparison, 2e-5))).toEqual([]);
});
