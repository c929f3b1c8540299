import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cacheFolder, fileStore } from './tuned.ts';

it('keeps values by key in a file, and takes a damaged file as empty', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crispen-tuned-'));
  try {
    const path = join(folder, 'sub/tuning.json');
    const store = fileStore(path);
    expect(await store.read('a')).toBeNull();
    await store.write('a', { fuse: 'ops' });
    await store.write('b', 2);
    expect([await store.read('a'), await store.read('b')]).toEqual([{ fuse: 'ops' }, 2]);
    expect(await readdir(join(folder, 'sub'))).toEqual(['tuning.json']);
    for (const damaged of ['{', 'null', '3', '']) {
      await writeFile(path, damaged);
      expect(await store.read('a')).toBeNull();
    }
    await store.write('a', 1);
    expect(await store.read('a')).toBe(1);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('finds the cache folder of each system', () => {
  expect(cacheFolder('linux', { XDG_CACHE_HOME: '/c' })).toBe('/c/crispen');
  expect(cacheFolder('linux', {})).toMatch(/\.cache\/crispen$/);
  expect(cacheFolder('darwin', {})).toMatch(/Library\/Caches\/crispen$/);
  expect(cacheFolder('win32', { LOCALAPPDATA: 'L' })).toMatch(/^L.crispen$/);
});
