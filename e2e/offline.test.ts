/** Tests offline use: everything that has been loaded once must work without a server. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { expect, it } from 'vitest';
import { picture } from '../test/pictures.ts';
import { launch } from './browser.ts';
import { downloadBy, dropOn, status } from './demo-page.ts';
import { decode, encode } from './oracle.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

it('enlarges and saves in every format without a connection, also after a reload', async () => {
  const server = createServer(async ({ url = '/' }, response) => {
    const path = new URL(url, 'http://x').pathname.replace(/\/$/, '/index.html');
    try {
      const body = await readFile(join('dist/site', path));
      const type = TYPES[extname(path)] ?? 'application/octet-stream';
      // The browser's own cache must not be used.
      response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await launch({ webgpu: false });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await dropOn(page, { name: 'a.png', bytes: await encode(picture(24, 20)) });
    await status(page, /^Done/);
    const keptFiles = () =>
      page.evaluate(async () => {
        const [name] = (await caches.keys()).filter((key) => key.startsWith('crispen-shell-'));
        const requests = await (await caches.open(name)).keys();
        return requests.filter(({ url }) => url.endsWith('.wasm')).length;
      });
    await expect.poll(keptFiles).toBeGreaterThan(0);

    server.close();
    server.closeAllConnections();
    for (const format of ['png', 'jpeg', 'webp', 'avif'] as const) {
      const { width, height } = await decode((await downloadBy(page, `download-${format}`)).bytes);
      expect([format, width, height]).toEqual([format, 48, 40]);
    }
    await page.reload();
    await status(page, /^Done/);
    await dropOn(page, { name: 'b.png', bytes: await encode(picture(20, 24)) });
    await page.locator('#fact-to', { hasText: '40 × 48' }).waitFor();
    const { width } = await decode((await downloadBy(page, 'download-avif')).bytes);
    expect(width).toBe(40);

    // If a file was never loaded, the page reports that it is missing and keeps the result.
    await page.getByRole('radio', { name: '4×' }).check();
    await page.getByTestId('error').filter({ hasText: 'could not be fetched' }).waitFor();
    expect(await page.getByTestId('error').textContent()).toContain('Check the connection');
    expect(await page.getByTestId('download-png').isVisible()).toBe(true);
  } finally {
    await browser.close();
    server.close();
  }
});
