import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { launch } from './browser.ts';
import { serveSources } from './server.ts';

it('measures its adapter once and goes by that from then on', async () => {
  const site = await serveSources();
  const browser = await launch({ webgpu: true });
  try {
    const page = await browser.newPage();
    await page.goto(`${site.url}bare`);
    await page.waitForFunction(() => window.crispen !== undefined);
    const kept = () =>
      page.evaluate(async () => {
        const cache = await caches.open('crispen-tuning');
        const [key, ...others] = await cache.keys();
        const response = key && (await cache.match(key));
        return { others: others.length, url: key?.url, choice: await response?.json() };
      });
    const use = (tune: boolean, file: number[]) =>
      page.evaluate(
        async ([bytes, tune]) => {
          const { createUpscaler, attempt, bytes: blob } = window.crispen;
          const upscaler = createUpscaler({ tune });
          const outcome = await attempt(upscaler, blob(bytes));
          upscaler.destroy();
          if (outcome.code !== null) throw new Error(outcome.message);
          return { dispatches: outcome.diagnostics.dispatches, file: outcome.file };
        },
        [file, tune] as const,
      );
    const photo = [...(await readFile('e2e/images/chelsea-24x20.png'))];

    const usual = await use(false, photo);
    expect((await kept()).url).toBeUndefined();
    const tuned = await use(true, photo);
    const { choice, url, others } = await kept();
    expect(choice).toMatchObject({ fuse: 'ops', conv: expect.any(String) });
    expect({ swiftshader: /swiftshader/i.test(url ?? ''), others }).toEqual({
      swiftshader: true,
      others: 0,
    });
    // All variants sum in the same order, so their results are identical.
    expect(tuned.file).toEqual(usual.file);

    // Crispen uses the stored choice: without fusion, there are more dispatches.
    await page.evaluate(async (key) => {
      const cache = await caches.open('crispen-tuning');
      await cache.put(key, Response.json({ fuse: 'none', conv: 'plain', tileColumns: 8 }));
    }, url as string);
    const again = await use(true, photo);
    expect(again.dispatches).toBeGreaterThan(1.5 * tuned.dispatches);
  } finally {
    await browser.close();
    await site.close();
  }
});
