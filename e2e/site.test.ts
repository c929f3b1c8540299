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

it.each(['', 'docs.html'])(
  'the page "%s" allows only its own origin, from its first element on',
  async (page) => {
    const html = await (await fetch(new URL(page, inject('siteUrl')))).text();
    const [, first = ''] = /<head>\s*(<[^>]*>)/.exec(html) ?? [];
    expect(first).toContain('http-equiv="Content-Security-Policy"');
    const policy = /content="([^"]*)"/.exec(first)?.[1].replaceAll('&#39;', "'").split('; ');
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        'trusted-types crispen',
      ]),
    );
    // Everything else that the policy allows is on the page's own origin.
    expect(policy?.join(' ')).not.toMatch(/unsafe-inline|'unsafe-eval'|https?:|\*/);
  },
);
