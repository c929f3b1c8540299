import { basename } from 'node:path';
import { expect, test } from 'vitest';
import type { GoldenCase } from '../src/cli/golden-case.ts';
import { compareGolden, isOff, readGoldenCases } from '../src/cli/golden-cases.ts';
import { openBackend } from '../src/node/backend.ts';
import { OWN_GOLDENS, TINY_GOLDENS } from './seededGoldens.ts';

async function read(file: string): Promise<readonly GoldenCase[]> {
  const goldens = await readGoldenCases(file);
  if ('missing' in goldens) throw new Error(`${goldens.name}: no network ${goldens.missing}`);
  return goldens;
}

test('the seeded goldens are in the repository', () => {
  expect(TINY_GOLDENS).toHaveLength(4);
});

test.each(
  OWN_GOLDENS.flatMap((file) =>
    (['oracle', 'cpu'] as const).map((device) => [device, basename(file), file] as const),
  ),
)('%s agrees with %s', async (device, _, file) => {
  const backend = await openBackend(device);
  try {
    for (const golden of await read(file)) {
      const comparisons = await compareGolden(golden, backend, { fuse: false });
      expect(comparisons.map(({ tensor }) => tensor)).toEqual([...golden.expected.keys()]);
      // The layers run in f32 and in the same order, so differences are far below the GPU's
      // tolerance.
      expect(comparisons.filter((comparison) => isOff(comparison, 1e-5))).toEqual([]);
    }
  } finally {
    backend.close();
  }
});

test('a wrong, a missing and a non-finite tensor are seen', async () => {
  const [golden] = await read(TINY_GOLDENS[0]);
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
