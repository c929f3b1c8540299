import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { compareGolden, findGoldenCases, readGoldenCases } from '../src/cli/golden-cases.ts';
import { openBackend } from '../src/node/backend.ts';

/**
 * Networks with few channels amplify rounding errors, including those of the code that made these
 * files: a layer norm over two or three channels divides by their standard deviation, which can be
 * tiny. All other networks are within 1e-5.
 */
const SENSITIVE: Readonly<Record<string, number>> = {
  asid_x2_21x19_maps: 2e-4,
  asid_x3_d8_15x14: 2e-4,
  asid_x4_16x13: 2e-4,
};

/**
 * The bounds for the oracle, which does not round values, so it reveals the goldens' own errors.
 * For example, the golden `P6` also differs from PyTorch in f64 by 2.98e-5.
 */
const SENSITIVE_EXACT: Readonly<Record<string, number>> = {
  'asid_x2_21x19_maps block0.P6.last_group': 3e-5,
  asid_x2_21x19_maps: 1e-5,
};

// Plain loops run the other cases in seconds. `npm run golden -- --device oracle` runs all cases.
const LONG = /64x64|d8_c48|_c64_|dim180/;
const FAMILIES = ['asid', 'omnisr', 'dat', 'swinir', 'srformer'];
const casesOf = (family: string) => {
  const cases = findGoldenCases(`${family}_*`).filter((file) => !LONG.test(file));
  expect(cases.length).toBeGreaterThan(0);
  if (cases.length < 3)
    console.warn(`SKIPPED: most goldens of ${family}; set CRISPEN_SHARED to test them.`);
  return cases;
};

/**
 * Checks every tensor in golden files. Relative to the tensor's largest magnitude, the error must
 * be at most 1e-5, or the file's own bound.
 */
async function expectGoldens(files: readonly string[], device: 'oracle' | 'cpu'): Promise<void> {
  const backend = await openBackend(device);
  try {
    for (const file of files) {
      const read = await readGoldenCases(file);
      if ('missing' in read) throw new Error(`no network ${read.missing}`);
      const name = basename(file, '.safetensors');
      const compared = await compareGolden(read[0], backend, { fuse: device === 'cpu' });
      for (const { tensor, error, maxRel } of compared) {
        expect(error, `${name} ${tensor}`).toBeNull();
        const exact = SENSITIVE_EXACT[`${name} ${tensor}`] ?? SENSITIVE_EXACT[name];
        const bound = (device === 'oracle' ? exact : undefined) ?? SENSITIVE[name] ?? 1e-5;
        expect(maxRel, `${name} ${tensor}`).toBeLessThan(bound);
      }
    }
  } finally {
    backend.close();
  }
}

test.each(FAMILIES.flatMap((family) => [[family, 'oracle'] as const, [family, 'cpu'] as const]))(
  '%s computes on %s what the authors’ code did',
  async (family, device) => {
    const cases = casesOf(family);
    await expectGoldens(cases, device);
  },
  120_000,
);

test.each(['oracle', 'cpu'] as const)(
  'RealPLKSR, PLKSR, RCAN and MoSR compute on %s what the published code did',
  async (device) => {
    const files = ['*plksr_*', 'rcan_*', 'mosr_*']
      .flatMap((pattern) => findGoldenCases(pattern))
      .filter((file) => !/c64/.test(file));
    expect(files.length).toBeGreaterThanOrEqual(4);
    await expectGoldens(files, device);
  },
  120_000,
);

// These goldens exist only at released sizes. Plain loops need half a minute for each, so the
// oracle runs only the smallest golden.
test.for([
  ['cpu', 'realcugan_*'],
  ['oracle', 'realcugan_x2_*'],
] as const)(
  'Real-CUGAN computes on %s what the published code did',
  { timeout: 300_000 },
  async ([device, pattern], { skip }) => {
    const files = findGoldenCases(pattern);
    if (files.length === 0) {
      console.warn('SKIPPED: goldens of Real-CUGAN; set CRISPEN_SHARED to test them.');
      skip();
    }
    await expectGoldens(files, device);
  },
);

test('global attention computes what the authors’ code did, with its rotations', async () => {
  const files = [...findGoldenCases('gla_*'), ...findGoldenCases('dlsn_*')];
  expect(files.length).toBeGreaterThanOrEqual(3);
  const backend = await openBackend('oracle');
  try {
    for (const file of files) {
      const read = await readGoldenCases(file);
      if ('missing' in read) throw new Error(`no network ${read.missing}`);
      for (const comparison of await compareGolden(read[0], backend, { fuse: false })) {
        const { tensor, error, maxRel } = comparison;
        expect(error, `${basename(file)} ${tensor}`).toBeNull();
        expect(maxRel, `${basename(file)} ${tensor}`).toBeLessThan(1e-5);
      }
    }
  } finally {
    backend.close();
  }
});
