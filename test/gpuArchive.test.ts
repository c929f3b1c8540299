/**
 * Tests the archive that `npm run gpu:pack` creates: it contains everything that its programs
 * import, and its report is readable.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packedFiles, packedPackages } from '../scripts/gpu/contents.mjs';
import { linesOf } from '../scripts/gpu/lines.mjs';

const root = resolve(import.meta.dirname, '..');
const PROGRAMS = [
  'scripts/gpu/report.mjs',
  'scripts/gpu/adapter.mjs',
  'scripts/run.mjs',
  'src/cli/tune.ts',
  'bench/profile.ts',
  'bench/dawn.ts',
  'vitest.config.ts',
  'test/gpu-setup.ts',
  'test/f16-setup.ts',
  'test/f16-kernels.ts',
  'scripts/adapter.mjs',
];
/** Imports that contain only types or belong to another runtime. */
const NOT_LOADED = /^(node:|@webgpu\/types)/;

describe('the archive', () => {
  const files = new Set(packedFiles(root));
  const packages = new Set(packedPackages(root).map((path) => path.replace('node_modules/', '')));

  it('has every file and package that its programs and tests import', () => {
    const tests = [...files].filter((file) => /^src\/kernels\/.*\.(gpu|f16)\.test\.ts$/.test(file));
    expect(tests.length).toBeGreaterThan(5);
    const queue = [...PROGRAMS, ...tests];
    const seen = new Set(queue);
    const missing: string[] = [];
    for (const file of queue) {
      if (!files.has(file)) {
        missing.push(file);
        continue;
      }
      if (!/\.(m?ts|m?js)$/.test(file)) continue;
      for (const name of importsOf(readFileSync(join(root, file), 'utf8'))) {
        if (name.startsWith('.')) {
          const next = join(dirname(file), name.replace(/\?.*$/, ''));
          if (!seen.has(next)) queue.push(next);
          seen.add(next);
        } else if (!NOT_LOADED.test(name)) {
          const [scope, rest] = name.split('/');
          const own = scope.startsWith('@') ? `${scope}/${rest}` : scope;
          if (!packages.has(own)) missing.push(`${name}, for ${file}`);
        }
      }
    }
    expect(missing).toEqual([]);
    expect(seen.size).toBeGreaterThan(200);
  });
});

/** Returns the imports of a module, except those that it needs only for types. */
function importsOf(source: string): string[] {
  const code = source.replace(/\/\*.*?\*\//gs, '');
  const found = code.matchAll(
    /^(?:import|export) (?!type )(?:[^'";]*? from )?'([^']+)'|\bimport\('([^']+)'\)/gm,
  );
  return [...found].map(([, first, second]) => first ?? second);
}

describe('the lines of the report', () => {
  it('name the adapter and its matrices', () => {
    const unit = { componentType: 'f16', resultComponentType: 'f32', M: 16, N: 8, K: 16 };
    const about = { vendor: 'nvidia', architecture: 'hopper', description: '' };
    const result = { ...about, features: ['shader-f16'], matrices: [unit] };
    expect(linesOf('adapter', { seconds: 0.3, result })).toEqual([
      'adapter: 0.3 s',
      '  nvidia, hopper',
      '  has f16',
      '  matrices: 16 x 8 x 16 f16 in f32',
    ]);
  });

  it('count tests and name the failed ones', () => {
    const failures = [{ test: 'conv at 1 x 1', why: 'off by 3\nat line 7' }];
    const result = { tests: 3, passed: 1, failed: 1, skipped: 1, failures };
    expect(linesOf('tests f32', { seconds: 4, result, error: 'exit code 1' })).toEqual([
      'tests f32: 4 s',
      '  1 passed, 1 failed, 1 skipped',
      '  conv at 1 x 1: off by 3',
      '  failed: exit code 1',
    ]);
  });

  it('order the variants of each layer, and say what is wrong', () => {
    const layer = { kernel: 'conv3x3 40->40', element: 'f32', width: 128, height: 128 };
    const measurements = [
      { ...layer, variant: 'plain', milliseconds: 2, error: null },
      { ...layer, variant: 'shared', milliseconds: 0.5, error: null },
      { ...layer, variant: 'halo', milliseconds: null, error: 'wrong result' },
    ];
    const best = { fuse: 'ops', conv: 'shared', tileColumns: 16 };
    const found = 'conv3x3 40->40 f32 128x128: shared 0.500 ms, plain 2.000 ms, halo: wrong result';
    expect(linesOf('tuning', { seconds: 9, result: { measurements, best } })).toEqual([
      'tuning: 9 s',
      `  ${found}`,
      `  best: ${JSON.stringify(best)}`,
    ]);
    // A tuning run that was stopped has made no choice yet.
    const stopped = { seconds: 9, result: { measurements }, error: 'ended after 9 s' };
    expect(linesOf('tuning', stopped).at(-1)).toBe('  failed: ended after 9 s');
  });

  it('sum up a profile', () => {
    const kernel = { kernel: 'conv3x3', steps: 65, milliseconds: 9.5, multiplyAddShare: 0.45 };
    const mix = { kernel: 'mix', steps: 16, milliseconds: 0.5, multiplyAddShare: null };
    const run = { precision: 'f16', fuse: 'ops', conv: 'matrix', clock: 'timestamps' };
    const size = { width: 512, height: 512 };
    const result = { model: 'a2n-x2', size, ...run, kernels: [kernel, mix] };
    expect(linesOf('profile f16', { seconds: 2, result }).slice(1)).toEqual([
      '  a2n-x2 at 512x512 in f16, ops, matrix: 10.00 ms by timestamps',
      '  conv3x3, 65 steps: 9.50 ms, 45.0 % of the peak',
      '  mix, 16 steps: 0.50 ms',
    ]);
  });

  it('have the rows of the bench, and why one has no time', () => {
    const row = { engine: 'crispen-fused', width: 128, height: 128 };
    const times = { medianMs: 2.5, firstMs: 900, maxAbsDiff: 1.2e-7 };
    const none = { medianMs: null, firstMs: null, maxAbsDiff: null, error: 'no tf32\nhere' };
    const result = [
      { ...row, ...times },
      { ...row, engine: 'torch-eager-tf32', ...none },
    ];
    expect(linesOf('bench', { seconds: 5, result }).slice(1)).toEqual([
      '  crispen-fused 128x128: 2.50 ms, the first 900 ms, off by 1.2e-7',
      '  torch-eager-tf32 128x128: no tf32',
    ]);
  });

  it('say what was skipped, and why', () => {
    expect(linesOf('pytorch', { skipped: 'no python3' })).toEqual(['pytorch: skipped, no python3']);
    const error = 'no time left';
    expect(linesOf('bench', { seconds: 0, error })).toEqual([
      'bench: 0 s',
      '  failed: no time left',
    ]);
  });
});
