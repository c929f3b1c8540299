/**
 * npm run bench: runs every engine on the same weights and photo, in one page of a headless
 * Chromium.
 */
import { basename } from 'node:path';
import { runCommand } from '../src/cli/command.ts';
import { assembleRegisters } from './assembled.ts';
import { openPage, WEIGHTS_URL } from './chromium.ts';
import { ENGINES } from './contender.ts';
import { NONLOCAL_USAGE, nonlocalCommand } from './nonlocal.ts';
import { COMMON_USAGE, isRival, parseOptions } from './options.ts';
import type { PageRequest } from './page/page.ts';
import { printResult } from './print.ts';

const USAGE = `
npm run bench -- [options]

Times Crispen and its rivals in a headless Chromium, in one page load, on the same weights and the
same piece of a photo; compares their outputs first. Rivals are installed when one is asked for.
${COMMON_USAGE.replace('ENGINES', ENGINES.join(', '))}
  --threads 1,2           of the engines on the CPU, each number a row; default: as many as cores, at most 8
  --hardware              on the machine's own graphics card instead of Chromium's software adapter
${NONLOCAL_USAGE}`;

await runCommand(USAGE, async (args) => {
  const network = args.indexOf('--network');
  if (args[network + 1] === 'lcoan' && !args.includes('--weights')) return nonlocalCommand(args);
  const options = parseOptions(args);
  const { engines, sizes, repeats, scale, threads, weights, hardware } = options;
  const request: PageRequest = {
    engines,
    sizes,
    repeats,
    scale,
    threads,
    weights: weights === null ? null : { url: WEIGHTS_URL, name: basename(weights) },
    registers: await assembleRegisters(),
  };
  const { page, close } = await openPage(engines.some(isRival) ? 'rivals' : 'site', {
    weights,
    webgpu: hardware ? 'hardware' : true,
  });
  try {
    await page.exposeFunction('onStage', (what: string) => console.error(what));
    const result = await page.evaluate((request) => {
      const { crispenBench, onStage } = window as typeof window & {
        onStage: (what: string) => void;
      };
      if (!crispenBench) throw new Error('The page has no bench.');
      return crispenBench(request, onStage);
    }, request);
    return printResult(result, options);
  } finally {
    await close();
  }
});
