import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EXAMPLES } from './examples.ts';
import { bindingsOf, contract, GROUP_ROW_WORD, PARAM_WORDS, paramWords } from './kernel.ts';

const folder = 'src/shaders/';
const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.wgsl'))
  .filter((name) => readFileSync(folder + name, 'utf8').includes('@compute'))
  .map((name) => name.slice(0, -'.wgsl'.length));
/** These shaders bind textures (pixels/texture.ts). */
const TEXTURES = ['pixels/pixelsToTexture', 'pixels/textureToPixels'];

test('every shader with an entry point has an example', () => {
  expect(Object.keys(EXAMPLES).sort()).toEqual(
    entries.filter((name) => !TEXTURES.includes(name)).sort(),
  );
});

const all = Object.entries(EXAMPLES).flatMap(([name, variants]) =>
  Object.entries(variants).map(([variant, kernel]) => [name, variant, kernel] as const),
);

test.each(all)('%s (%s) binds what its kernel declares', (_, __, build) => {
  const kernel = build('f32');
  const code = kernel.code.replace(/\/\/.*/g, '');
  const TYPES = {
    'storage, read': 'read-only-storage',
    'storage, read_write': 'storage',
    uniform: 'uniform',
  } as const;
  const bound = [...code.matchAll(/@binding\((\d+)\) var<([\w, ]+)> (\w+):/g)]
    .map(([, binding, space, name]) => ({
      binding: Number(binding),
      type: TYPES[space as keyof typeof TYPES],
      name,
    }))
    .filter(({ binding }) => binding > 0)
    .sort((a, b) => a.binding - b.binding);
  const names = [...kernel.reads, ...kernel.writes];
  expect(bound).toEqual(
    bindingsOf(kernel).map((type, i) => ({ binding: i + 1, type, name: names[i] })),
  );
  const struct = /struct Params \{([^}]*)\}/.exec(code)?.[1] ?? '';
  const fields = [...struct.matchAll(/(\w+): (\w+)/g)].map(([, name, type]) => [name, type]);
  expect(fields).toEqual(Object.entries(kernel.params));
  expect(fields.length).toBeLessThanOrEqual(PARAM_WORDS);
  const groupRow = fields.findIndex(([name]) => name === 'group_row');
  if (groupRow >= 0) expect(groupRow).toBe(GROUP_ROW_WORD);
});

test('words are put in order by name; a missing one is refused', () => {
  const own = contract(['x'], ['y'], { width: 'u32', slope: 'f32', group_row: 'u32' });
  expect(paramWords(own, { slope: 1, width: 7 })).toEqual([7, 0x3f800000, 0]);
  expect(() => paramWords(own, { width: 7 } as never)).toThrow('the kernel wants slope');
});
