/**
 * node scripts/run.mjs FILE [arguments]
 *
 * Runs a TypeScript file in Node with Vite's module runner, which supports `.ts` imports and `?raw`
 * shaders without a build. The file finds its own arguments in `process.argv`. It uses standard
 * input and the exit code directly.
 */
import { resolve } from 'node:path';
import { runnerImport } from 'vite';

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  console.error('Usage: node scripts/run.mjs FILE [arguments]');
  process.exit(2);
}
const path = resolve(file);
process.argv = [process.argv[0] ?? 'node', path, ...args];
await runnerImport(path, { root: resolve(import.meta.dirname, '..'), logLevel: 'error' });
