/**
 * Tests the complete pages in the README and the docs as if a reader had pasted them next to the
 * built library, on a static server.
 */
import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODELS } from '../src/catalog/manifest.ts';
import type { Rgba8Image } from '../src/image/image.ts';
import { launch } from './browser.ts';
import { decode, expected, expectSamePicture } from './oracle.ts';
import { type Served, serveForeign } from './server.ts';

const PHOTO = 'e2e/images/chelsea-24x20.png';
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.jpg': 'image/jpeg',
};

let folder: string;
let site: Served;
let browser: Browser;
let twice: Rgba8Image;

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };
const isPage = (text: string) => /^<!doctype html>/i.test(text);

/** Returns the complete pages in a document, as a reader would copy them. */
async function pagesOf(document: string): Promise<string[]> {
  const text = await readFile(document, 'utf8');
  if (document.endsWith('.md')) {
    return [...text.matchAll(/^```html\n(.*?)^```$/gms)].map(([, code]) => code).filter(isPage);
  }
  return [...text.matchAll(/<pre><code>(.*?)<\/code><\/pre>/gs)]
    .map(([, code]) => code.replaceAll(/&(\w+);/g, (_, name) => ENTITIES[name]))
    .filter(isPage);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-pasted-'));
  const build = spawnSync(process.execPath, ['scripts/build.mjs', '--only', 'lib'], {
    encoding: 'utf8',
  });
  if (build.status !== 0) throw new Error(build.stderr);
  await cp('dist/lib', join(folder, 'dist/lib'), { recursive: true });
  // The file is lossless, so both sides decode the same pixels. Browsers recognise the format by
  // its content.
  await cp(PHOTO, join(folder, 'cat.jpg'));
  site = await serveForeign(async ({ url = '/' }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, 'http://x').pathname));
    try {
      const body = await readFile(join(folder, path));
      response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  twice = await expected('a2n-photo-x2', await decode(await readFile(PHOTO)));
  browser = await launch({ webgpu: false });
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
  await rm(folder, { recursive: true, force: true });
});

it('the first code that README and docs show is a whole page', async () => {
  const readme = await readFile('README.md', 'utf8');
  const first = /^```(?:html|ts|js)\n(.*?)^```$/ms.exec(readme)?.[1];
  expect(first).toBe((await pagesOf('README.md'))[0]);
  const docs = await readFile('docs.html', 'utf8');
  expect(/<pre>(.*?)<\/pre>|data-example/s.exec(docs)?.[1]).toContain('&lt;!doctype html');
  for (const document of ['README.md', 'docs/library.md', 'docs.html'])
    expect(await pagesOf(document)).toHaveLength(1);
});

describe.each(['README.md', 'docs/library.md', 'docs.html'])('%s', (document) => {
  it('enlarges the picture when it is pasted', async () => {
    const [source] = await pagesOf(document);
    await writeFile(join(folder, 'pasted.html'), source);
    const page = await browser.newPage();
    const complaints: string[] = [];
    const addresses: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // Browsers request an icon for every page that does not specify one.
      const isIcon = message.location().url.endsWith('/favicon.ico');
      if (message.type() === 'error' && !isIcon) complaints.push(message.text());
    });
    page.on('request', (request) => addresses.push(request.url()));
    await page.goto(`${site.url}pasted.html`);
    let file: number[];
    if (source.includes('<crispen-image')) {
      const element = page.locator('crispen-image');
      const state = () => element.evaluate((e) => (e as HTMLElement & { state: string }).state);
      await expect.poll(state, { timeout: 60_000 }).toBe('done');
      file = await element.evaluate(async (e) => {
        const made = await (e as HTMLElement & { toBlob(): Promise<Blob> }).toBlob();
        return [...new Uint8Array(await made.arrayBuffer())];
      });
    } else {
      await page.locator('input').setInputFiles(join(folder, 'cat.jpg'));
      const canvas = page.locator('canvas');
      const width = () => canvas.evaluate((e) => (e as HTMLCanvasElement).width);
      await expect.poll(width, { timeout: 60_000 }).toBe(48);
      file = await canvas.evaluate(async (e) => {
        const made = await new Promise<Blob | null>((resolve) =>
          (e as HTMLCanvasElement).toBlob(resolve),
        );
        return [...new Uint8Array(await (made as Blob).arrayBuffer())];
      });
      expect(await page.locator('progress').evaluate((e) => (e as HTMLProgressElement).value)).toBe(
        1,
      );
    }
    expectSamePicture(await decode(file), twice);
    expect(complaints).toEqual([]);
    expect(
      addresses.filter((url) => !/^(data|blob):/.test(url) && !url.startsWith(site.url)),
    ).toEqual([]);
    await page.close();
  });
});

it('the built library works in a worker of the page, with the weights that it has beside it', async () => {
  await writeFile(
    join(folder, 'own-worker.js'),
    `import { createUpscaler } from './dist/lib/index.js';
    const upscaler = createUpscaler();
    upscaler
      .upscale('cat.jpg', { output: 'image/png' })
      .then(({ image, backend }) => postMessage({ image, backend }))
      .catch((error) => postMessage({ error: error.code + ': ' + error.message }));`,
  );
  await writeFile(join(folder, 'plain.html'), '<!doctype html><title>A page</title>');
  const page = await browser.newPage();
  await page.goto(`${site.url}plain.html`);
  const made = await page.evaluate(async () => {
    const worker = new Worker('./own-worker.js', { type: 'module' });
    const { data } = await new Promise<MessageEvent>((resolve, reject) => {
      worker.onmessage = resolve;
      worker.onerror = (event) => reject(new Error(event.message));
    });
    const file = data.image ? [...new Uint8Array(await data.image.arrayBuffer())] : [];
    return { backend: data.backend, error: data.error, file };
  });
  expect(made).toMatchObject({ backend: 'cpu' });
  expectSamePicture(await decode(made.file), twice);
  await page.close();
});

it('the built library says in Node that it needs a page, and imports without harm', () => {
  const library = pathToFileURL(join(folder, 'dist/lib/index.js')).href;
  const script = `import { createUpscaler, MODELS } from ${JSON.stringify(library)};
    try { createUpscaler(); } catch ({ name, code, message, hint }) {
      console.log(JSON.stringify({ name, code, message, hint, models: MODELS.length }));
    }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toMatchObject({
    name: 'CrispenError',
    code: 'WORKER_FAILED',
    models: MODELS.length,
    message: expect.stringMatching(/web page/),
    hint: expect.stringMatching(/crispen in\.jpg out\.png.*crispen\/engine/),
  });
});

it('the element and previews can be imported where there is no page, as in rendering on a server', () => {
  const [element, preview] = ['element', 'preview'].map((name) =>
    JSON.stringify(pathToFileURL(join(folder, `dist/lib/${name}.js`)).href),
  );
  const script = `import { CrispenImage } from ${element};
    import * as preview from ${preview};
    CrispenImage.idleMs = 5000;
    console.log(JSON.stringify([typeof CrispenImage, Object.keys(preview).length > 0]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual(['function', true]);
});
