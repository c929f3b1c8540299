import { basename } from 'node:path';
import { expect, test } from 'vitest';
import type { GoldenCase } from '../src/cli/golden-case.ts';
import {
  compareGolden,
  findGoldenCases,
  isOff,
  readGoldenCase,
  SEEDED_GOLDENS,
} from '../src/cli/golden-cases.ts';
import { openBackend } from '../src/node/backend.ts';

const seeded = findGoldenCases('tiny_*').filter((file) => file.startsWith(SEEDED_GOLDENS));

async function read(file: string): Promise<GoldenCase> {
  const golden = await readGoldenCase(file);
  if ('missing' in golden) throw new Error(`${golden.name}: no network ${golden.missing}`);
  return golden;
}

test('the seeded goldens are in the repository', () => {
  expect(seeded).toHaveLength(4);
});

test.each(seeded.map((file) => [basename(file), file]))(
  'the CPU interpreter agrees with %s',
  async (_, file) => {
    const golden = await read(file);
    const comparisons = await compareGolden(golden, await openBackend('oracle'), { fuse: false });
    expect(comparisons.map(({ tensor }) => tensor)).toEqual([...golden.expected.keys()]);
    // Plain f32 loops with the same order of layers: far below the GPU's tolerance.
    expect(comparisons.filter((comparison) => isOff(comparison, 1e-5))).toEqual([]);
  },
);

test('a wrong, a missing and a non-finite tensor are seen', async () => {
  const golden = await read(seeded[0]);
  const cpu = await openBackend('oracle');
  const comparisons = await compareGolden(
    golden,
    {
      async trace(...args) {
        const traced = await cpu.trace(...args);
        traced.get('conv_first')!.data[5] += 1e-2;
        traced.get('trunk_conv')!.data[7] = Number.NaN;
        traced.delete('trunk_sum');
        const skip = traced.get('bilinear_skip')!;
        traced.set('bilinear_skip', { ...skip, shape: [...skip.shape].reverse() });
        return traced;
      },
    },
    { fuse: false },
  );
  const off = comparisons.filter((comparison) => isOff(comparison));
  expect(new Map(off.map(({ tensor, error }) => [tensor, error]))).toEqual(
    new Map([
      ['conv_first', null],
      ['trunk_conv', 'is not finite at element 7'],
      ['trunk_sum', 'not produced'],
      ['bilinear_skip', expect.stringContaining('has the shape')],
    ]),
  );
});
