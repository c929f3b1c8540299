import { basename } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareGolden, findGoldenCases, isOff, readGoldenCases } from '../src/cli/golden-cases.ts';
import { Engine } from '../src/engine/engine.ts';
import { trace } from '../src/engine/oracle/traceNetwork.ts';
import { testGpu } from './gpu.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

const cases = [
  ...['asid', 'omnisr', 'dat', 'swinir', 'srformer']
    .flatMap((family) => findGoldenCases(`${family}_x*`))
    .filter((file) => !/d8_c48|tiled/.test(file)),
  ...findGoldenCases('gla_*'),
  ...findGoldenCases('dlsn_*'),
  ...findGoldenCases('*plksr_*'),
  ...findGoldenCases('rcan_*'),
  ...findGoldenCases('mosr_*'),
  ...findGoldenCases('realcugan_*'),
];
if (cases.length < 20)
  console.warn('SKIPPED: most goldens of transformers; set CRISPEN_SHARED to test them.');

test.each(cases.map((file) => [basename(file, '.safetensors'), file]))('%s', async (_, file) => {
  const read = await readGoldenCases(file);
  if ('missing' in read) throw new Error(`no network ${read.missing}`);
  for (const fuse of [false, true]) {
    const run: typeof trace = (...args) => trace(...args);
    const backend = { trace: run.bind(null, engine) };
    const comparisons = await compareGolden(read[0], backend, { fuse });
    expect(comparisons.length).toBeGreaterThan(0);
    expect(comparisons.filter((comparison) => isOff(comparison))).toEqual([]);
  }
});
