#!/usr/bin/env node
/** The command line: the built file, or the source in a checkout that has not been built. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/cli/crispen.js', import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  process.argv.splice(2, 0, fileURLToPath(new URL('../src/cli/crispen.ts', import.meta.url)));
  await import('../scripts/run.mjs');
}
