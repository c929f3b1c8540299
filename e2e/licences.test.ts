import { readFile } from 'node:fs/promises';
import { expect, inject, it } from 'vitest';

it('the site carries the licences', async () => {
  for (const [address, file] of [
    ['LICENSE.txt', 'LICENSE'],
    ['THIRD-PARTY.txt', 'THIRD-PARTY.md'],
  ]) {
    const response = await fetch(new URL(address, inject('siteUrl')));
    expect([address, response.status]).toEqual([address, 200]);
    expect(await response.text()).toBe(await readFile(file, 'utf8'));
  }
});
