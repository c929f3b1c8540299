import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, expect, it } from 'vitest';
import { bareShaders } from '../../scripts/shaders.mjs';

/** Finds the Deno command: `$CRISPEN_DENO`, or an installed one. */
function findDeno(): string | null {
  for (const command of [process.env.CRISPEN_DENO, 'deno', 'node_modules/.bin/deno']) {
    if (command && spawnSync(command, ['--version']).status === 0) return command;
  }
  return null;
}

/**
 * The maximum share of samples that may differ. Rounding changes far fewer samples, and a faulty
 * kernel changes most of them.
 */
const MOST_SHARE = 0.01;

const deno = findDeno();
if (!deno)
  console.warn('SKIPPED: no Deno (set CRISPEN_DENO): wgpu, which Firefox uses, is untested');
const folder = mkdtempSync(join(tmpdir(), 'crispen-deno-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.skipIf(!deno)(
  'wgpu compiles all kernels, and the networks agree with the oracle',
  async (context) => {
    await build({
      configFile: false,
      publicDir: false,
      logLevel: 'warn',
      plugins: [bareShaders()],
      build: {
        outDir: folder,
        target: 'es2023',
        ssr: 'test/deno/main.ts',
        rolldownOptions: { output: { entryFileNames: 'main.js', codeSplitting: false } },
      },
    });
    const args = ['run', '--unstable-webgpu', '--allow-all', join(folder, 'main.js')];
    const { stdout, stderr, status } = spawnSync(deno as string, args, {
      encoding: 'utf8',
      timeout: 240_000,
    });
    expect(status, stderr).toBe(0);
    const { adapter, compiled, refused, networks } = JSON.parse(stdout.trim().split('\n').at(-1)!);
    if (adapter === '') {
      console.warn('SKIPPED: wgpu finds no adapter (lavapipe would do): untested');
      return context.skip();
    }
    expect(refused).toEqual([]);
    expect(compiled).toBeGreaterThan(40);
    expect(networks.length).toBeGreaterThan(8);
    for (const { name, share, worst } of networks) {
      expect(worst, name).toBeLessThanOrEqual(1);
      expect(share, name).toBeLessThan(MOST_SHARE);
    }
  },
);
