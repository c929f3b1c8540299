import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { positiveInteger, runCommand } from '../../src/cli/command.ts';
import { soakInBrowser } from './soakBrowser.ts';
import { soakInNode } from './soakNode.ts';

const USAGE = `
npm run soak -- [--images N] [--browser] [--seed N]

Enlarges N small images one after the other, in Node on the GPU and on the CPU in turn. Some jobs are
cancelled, some files are damaged. Prints what is held on the GPU and in memory on the way and, in Node, what
the process grows by when only the driver works. The last line is JSON: {images, wrong, stuck, untyped, buffers, bytes, heap, process, flat}, with first and last values. Exit
code 1 unless the counts are 0 and everything is flat.

  --images N  default 200
  --browser   in Chromium instead
  --seed N    default 1`;

/**
 * glibc gives every driver thread its own arena. Free memory in an arena counts towards the
 * process's memory. With many arenas, the process therefore seems to grow even if nothing is
 * leaked.
 */
const ARENAS = 'MALLOC_ARENA_MAX';

/** Runs this command in a process with one arena, and returns its exit code. */
function again(args: readonly string[]): number {
  const run = resolve(import.meta.dirname, '../../scripts/run.mjs');
  const { status } = spawnSync(process.execPath, [run, import.meta.filename, ...args], {
    stdio: 'inherit',
    env: { ...process.env, [ARENAS]: '1' },
  });
  return status ?? 1;
}

await runCommand(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      images: { type: 'string', default: '200' },
      browser: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
    },
  });
  if (!values.browser && process.platform === 'linux' && !process.env[ARENAS]) {
    process.exit(again(args));
  }
  const soak = values.browser ? soakInBrowser : soakInNode;
  const number = (name: 'images' | 'seed') => positiveInteger(`--${name}`, values[name]);
  const counts = await soak(number('images'), number('seed'), console.log);
  console.log(JSON.stringify(counts));
  const faults = counts.wrong + counts.stuck + counts.untyped;
  // GPU devices can keep the process alive, so it must exit explicitly.
  process.exit(faults === 0 && counts.flat ? 0 : 1);
});
