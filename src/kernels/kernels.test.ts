import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const folder = 'src/kernels/';
const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.ts'),
);
const read = (name: string) => readFileSync(folder + name, 'utf8');
const tests = names.filter((name) => name.endsWith('.gpu.test.ts')).map(read);
const BUILDER = /export (?:function|const) (\w+(?:Kernel|Conv))\b/g;
const builders = names.filter((name) => !name.includes('.test.') && read(name).match(BUILDER));
// tuning.ts lists all convolution variants, and conv.gpu.test.ts tests every variant in the list.
const variants = readFileSync('src/engine/tune/tuning.ts', 'utf8');

it.each(builders)('the kernels of %s have a test on a GPU', (name) => {
  for (const [, kernel] of read(name).matchAll(BUILDER)) {
    const inTests = tests.some((text) => text.includes(kernel));
    // A builder of a convolution variant counts as tested if the list of variants uses it.
    const listed = variants.includes(kernel);
    expect(inTests || listed, kernel).toBe(true);
  }
});
