/**
 * Compares the WGSL of all kernels to which A2N x2 compiles: with strips as on GPUs, with fused
 * blocks, and with the convolutions for SwiftShader. The test fails if the text of a kernel
 * changes, or if a kernel appears or disappears. `npx vitest run --project unit test/a2nExpansions
 * -u` accepts the change.
 */
import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { lower } from '../src/engine/compile/lower.ts';
import { type Choice, FAMILIES, tuningOf } from '../src/engine/tune/tuning.ts';
import type { ElementType } from '../src/kernels/kernel.ts';
import { a2n } from '../src/networks/a2n.ts';

const FOLDER = 'test/expansions/a2n-x2';
const RUNS: readonly [family: string, element: ElementType][] = [
  ['nvidia', 'f32'],
  ['blocks', 'f32'],
  ['blocks', 'f16'],
  ['swiftshader', 'f32'],
];

/** Returns the distinct kernels in a run, by file name. */
async function kernelsOf(family: string, element: ElementType): Promise<Map<string, string>> {
  const own = FAMILIES.find((one) => one.family === family);
  const choice: Choice = own ?? { fuse: 'blocks', conv: 'strips', tileColumns: 16 };
  const tuning = await tuningOf(choice, { features: ['subgroups'], matrix: undefined });
  const { steps } = await lower(a2n({ scale: 2 }).graph, {
    element,
    fuse: tuning.fuse,
    conv: tuning.conv,
    quads: tuning.quads,
    image: { range: 1 },
  });
  const files = new Map<string, string>();
  for (const { kernel } of steps) {
    if ([...files.values()].includes(kernel.code)) continue;
    const base = `${family}-${element}-${kernel.label.replace(/[^\w-]+/g, '_')}`;
    let name = `${base}.wgsl`;
    for (let i = 2; files.has(name); i++) name = `${base}-${i}.wgsl`;
    files.set(name, kernel.code);
  }
  return files;
}

describe.each(RUNS)('A2N x2 for %s in %s', async (family, element) => {
  const kernels = await kernelsOf(family, element);

  it.each([...kernels])('%s expands as before', async (name, code) => {
    await expect(code).toMatchFileSnapshot(`expansions/a2n-x2/${name}`);
  });

  afterAll(() => {
    const kept = readdirSync(FOLDER).filter((name) => name.startsWith(`${family}-${element}-`));
    expect(kept.sort()).toEqual([...kernels.keys()].sort());
  });
});
