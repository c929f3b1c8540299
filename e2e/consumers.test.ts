/**
 * Tests the package in the way users consume it: packed, installed, with and without a bundler, and
 * under a strict content security policy.
 */
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { build as esbuild } from 'esbuild';
import type { Browser } from 'playwright';
import sharp from 'sharp';
import { build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import webpack from 'webpack';
import { launch } from './browser.ts';
import { decode, expected, expectSamePicture } from './oracle.ts';

/**
 * The policy forbids `unsafe-inline`, other sites, and blob: URLs for scripts. It permits
 * `unsafe-eval` only for WebAssembly.
 */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'";
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript' };

const SOURCE = `
import { createUpscaler } from 'crispen';
import { CrispenImage } from 'crispen/element';

// The software adapter has to be asked for.
CrispenImage.options = { backend: 'webgpu' };

const image = new ImageData(6, 5);
image.data.forEach((_, i) => { image.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256; });
const upscaler = createUpscaler({ backend: 'webgpu' });
const cpuOnly = createUpscaler({ backend: 'cpu', threads: 2 });
const canvas = document.createElement('canvas');
window.done = (async () => {
  const { image: file, backend } = await upscaler.upscale(image, { output: 'image/png' });
  const { id } = await upscaler.addModel('model.pth');
  const fine = await (await fetch('deep.png')).blob();
  const deep = await upscaler.upscale(fine, { model: id, output: 'image/png' });
  const bitmap = await createImageBitmap(file);
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext('2d');
  context.drawImage(bitmap, 0, 0);
  upscaler.destroy();
  const tall = new ImageData(8, 200);
  tall.data.forEach((_, i) => { tall.data[i] = i % 4 === 3 ? 255 : (i * 41) % 256; });
  const onCpu = await cpuOnly.upscale(tall, { output: 'image/png' });
  const { threads, tiles } = onCpu.diagnostics;
  cpuOnly.destroy();
  const element = document.querySelector('crispen-image');
  const blob = await element.toBlob();
  return {
    backend,
    pixels: [...context.getImageData(0, 0, bitmap.width, bitmap.height).data],
    element: [element.state, element.result.width, blob.type],
    deep: [...new Uint8Array(await deep.image.arrayBuffer())],
    cpu: { threads, tiles, file: [...new Uint8Array(await onCpu.image.arrayBuffer())] },
  };
})();
`;
const page = (script: string) => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>Consumer</title><link rel="icon" href="data:,"><script type="module" src="${script}"></script>
</head><body><crispen-image width="64" model="model.pth"><img src="photo.png" alt="Noise" width="64"></crispen-image></body></html>`;

let folder: string;
let browser: Browser;
let server: Server;
let origin: string;

/**
 * Serves every project's folder under the project's name. CORS is enabled, so that one server can
 * act as another site.
 */
async function serve(): Promise<void> {
  server = createServer(async ({ url = '/' }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, 'http://x').pathname));
    try {
      const body = await readFile(join(folder, path));
      response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream');
      response.setHeader('access-control-allow-origin', '*');
      const policy = path.startsWith('/cdn/')
        ? POLICY.replaceAll("'self'", `'self' http://127.0.0.1:* blob:`)
        : POLICY;
      response.setHeader('content-security-policy', policy);
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  origin = `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** Copies the page's image and a small network, because the software adapter is slow. */
async function copyFiles(to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  // A gradient of 300 grey levels. In 8 bits, only five of these levels would remain.
  const samples = Uint16Array.from({ length: 300 * 4 }, (_, i) => 30_000 + 4 * (i % 300));
  const raw = { width: 300, height: 4, channels: 1 } as const;
  await sharp(samples, { raw }).toColourspace('grey16').png().toFile(join(to, 'deep.png'));
  await cp('e2e/images/chelsea-24x20.png', join(to, 'photo.png'));
  await cp('test/checkpoints/compact_x2_params_views_zip.pth', join(to, 'model.pth'));
}

/** Creates a project with the package installed and the built page in `www`. */
async function project(name: string): Promise<{ root: string; entry: string; out: string }> {
  const root = join(folder, name);
  const out = join(root, 'www');
  await mkdir(out, { recursive: true });
  await writeFile(join(root, 'main.js'), SOURCE);
  await writeFile(join(out, 'index.html'), page('./main.js'));
  await copyFiles(out);
  return { root, entry: join(root, 'main.js'), out };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-consumers-'));
  const run = (command: string, args: string[]) => {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  };
  run(process.execPath, ['scripts/build.mjs', '--only', 'lib']);
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder]);
  const archive = (await readdir(folder)).find((file) => file.endsWith('.tgz'))!;
  await mkdir(join(folder, 'node_modules/crispen'), { recursive: true });
  run('tar', [
    ...['-xzf', join(folder, archive), '--strip-components', '1'],
    ...['-C', join(folder, 'node_modules/crispen')],
  ]);
  await serve();
  browser = await launch({ webgpu: true });
});

afterAll(async () => {
  await browser?.close();
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  backend: string;
  pixels: number[];
  element: [string, number, string];
  deep: number[];
  cpu: { threads: number; tiles: number; file: number[] };
}

/**
 * Opens a project's page. Checks that its images are correct, that the policy blocked nothing, and
 * that the page loaded nothing from other sites.
 */
async function expectWorking(name: string, sites = [origin]): Promise<void> {
  const tab = await browser.newPage();
  const complaints: string[] = [];
  const requested: string[] = [];
  tab.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  tab.on('pageerror', (error) => complaints.push(error.message));
  tab.on('request', (request) => requested.push(request.url()));
  await tab.goto(`${origin}/${name}/www/index.html`);
  const { backend, pixels, element, deep, cpu } = await tab.evaluate(
    () => (window as unknown as { done: Promise<Outcome> }).done,
  );
  const foreign = requested.filter(
    (url) => !/^(data|blob):/.test(url) && !sites.some((site) => url.startsWith(site)),
  );
  expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] });
  expect(backend).toBe('webgpu');
  const [width, height] = [6, 5];
  const data = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : (i * 37) % 256,
  );
  const actual = { width: 12, height: 10, data: Uint8ClampedArray.from(pixels) };
  expectSamePicture(actual, await expected('a2n-photo-x2', { width, height, data }));
  expect(element).toEqual(['done', 48, 'image/png']);
  await expectDeep(Buffer.from(deep));
  // The CPU computes two bands, one of them in a worker that the worker itself started.
  expect(cpu).toMatchObject({ threads: 2, tiles: 2 });
  const tall = Uint8ClampedArray.from({ length: 8 * 200 * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : (i * 41) % 256,
  );
  expectSamePicture(
    await decode(cpu.file),
    await expected('a2n-photo-x2', { width: 8, height: 200, data: tall }),
  );
  await tab.close();
}

/**
 * Checks that 16-bit precision survives the worker and the GPU: an independent decoder finds more
 * levels than 8 bits can express.
 */
async function expectDeep(file: Buffer): Promise<void> {
  const { depth, width } = await sharp(file).metadata();
  expect([depth, width]).toEqual(['ushort', 600]);
  const { data, info } = await sharp(file)
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(1);
  expect(new Set(new Uint16Array(data.buffer, data.byteOffset, 600)).size).toBeGreaterThan(256);
}

describe('the package works', () => {
  it('with Vite', async () => {
    const { root, out } = await project('vite');
    await rm(out, { recursive: true });
    await writeFile(join(root, 'index.html'), page('./main.js'));
    await copyFiles(join(root, 'public'));
    await vite({
      root,
      configFile: false,
      base: './',
      logLevel: 'error',
      build: { outDir: 'www', target: 'es2023' },
    });
    await expectWorking('vite');
  });

  it('with webpack', async () => {
    const { root, entry, out } = await project('webpack');
    const compiler = webpack({
      mode: 'production',
      context: root,
      entry,
      devtool: false,
      target: 'web',
      output: { path: out, filename: 'main.js', publicPath: 'auto' },
      performance: { hints: false },
    })!;
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) =>
      compiler.run((error, result) => (error ? reject(error) : resolve(result))),
    );
    await new Promise((resolve) => compiler.close(resolve));
    expect(stats?.toJson({ all: false, errors: true, warnings: true })).toMatchObject({
      errors: [],
      warnings: [],
    });
    await expectWorking('webpack');
  });

  it('with esbuild, worker and weights copied beside the bundle', async () => {
    const { entry, out } = await project('esbuild');
    await esbuild({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      splitting: true,
      minify: true,
      outdir: out,
      target: 'es2022',
      logLevel: 'error',
    });
    const lib = join(folder, 'node_modules/crispen/dist/lib');
    for (const file of await readdir(lib)) {
      if (/^worker.*\.js$/.test(file)) await cp(join(lib, file), join(out, file));
    }
    await cp(join(lib, 'models'), join(out, 'models'), { recursive: true });
    await expectWorking('esbuild');
  });

  it('without a bundler, as a folder of files', async () => {
    const { out } = await project('plain');
    const source = SOURCE.replaceAll("'crispen'", "'./crispen/index.js'");
    await writeFile(
      join(out, 'main.js'),
      source.replaceAll("'crispen/element'", "'./crispen/element.js'"),
    );
    await cp(join(folder, 'node_modules/crispen/dist/lib'), join(out, 'crispen'), {
      recursive: true,
    });
    await expectWorking('plain');
  });

  it('from another site, by a worker that imports its script', async () => {
    const { out } = await project('cdn');
    const elsewhere = origin.replace('localhost', '127.0.0.1');
    const lib = `${elsewhere}/node_modules/crispen/dist/lib`;
    const source = SOURCE.replaceAll("'crispen'", `'${lib}/index.js'`);
    await writeFile(
      join(out, 'main.js'),
      source.replaceAll("'crispen/element'", `'${lib}/element.js'`),
    );
    await expectWorking('cdn', [origin, elsewhere]);
  });
});
