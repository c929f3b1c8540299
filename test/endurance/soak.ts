/**
 * npm run soak -- [--images N] [--browser] [--seed N]
 *
 * Enlarges N small images one after the other, in Node on the GPU and on the CPU in turn, or with
 * `--browser` in Chromium. Some jobs are cancelled, some files are damaged. Prints what is held on the GPU and
 * in memory on the way. The last line is JSON: `{images, wrong, stuck, untyped, buffers, bytes, heap, process,
 * flat}`, with first and last values. Exit code 1 unless the counts are 0 and everything is flat.
 */
import { parseArgs } from 'node:util';
import { soakInBrowser } from './soakBrowser.ts';
import { soakInNode } from './soakNode.ts';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '200' },
    browser: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
  },
});
const soak = values.browser ? soakInBrowser : soakInNode;
const counts = await soak(Number(values.images), Number(values.seed), console.log);
console.log(JSON.stringify(counts));
const faults = counts.wrong + counts.stuck + counts.untyped;
process.exit(faults === 0 && counts.flat ? 0 : 1);
