/**
 * The library throws its own error class. It throws `internal()` where only a bug can be the cause.
 * Other errors may be thrown only if the same module or its caller turns them into a CrispenError.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const CAUGHT = [
  'kernels/loads.ts', // used only by tests
  'node/images.ts',
  'codecs/avif/avif.ts',
  'codecs/avif/embed.ts',
  'codecs/bytes.ts',
  'codecs/canvas.ts',
  'codecs/png/png16.ts',
  'element/inspect.ts',
  'worker/modelLoader.ts',
  'worker/store.ts',
];

it('throws bare errors only where they are caught', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !/\.(test|d)\.ts$/.test(name),
  );
  expect(files.length).toBeGreaterThan(200);
  const bare = files.filter((name) =>
    /throw new (Type|Range)?Error\(/.test(readFileSync(`src/${name}`, 'utf8')),
  );
  expect(bare.filter((name) => !CAUGHT.includes(name))).toEqual([]);
});
