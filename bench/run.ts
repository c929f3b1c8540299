/** npm run bench: every engine on the same weights and photo, in one page of a headless Chromium. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { build, type Plugin, preview } from 'vite';
import { launch } from '../e2e/browser.ts';
import { ensureChromium } from '../scripts/chromium.mjs';
import { bareShaders } from '../scripts/shaders.mjs';
import { runCommand } from '../src/cli/command.ts';
import { PACKAGE_ROOT } from '../src/cli/model.ts';
import { ENGINES } from './contender.ts';
import { NONLOCAL_USAGE, nonlocalCommand } from './nonlocal.ts';
import { type BenchOptions, COMMON_USAGE, isRival, parseOptions } from './options.ts';
import type { PageRequest } from './page/page.ts';
import { printResult } from './print.ts';

const USAGE = `
npm run bench -- [options]

Times Crispen and its rivals in a headless Chromium, in one page load, on the same weights and the
same piece of a photo; compares their outputs first. Rivals are installed when one is asked for.
${COMMON_USAGE.replace('ENGINES', ENGINES.join(', '))}
  --hardware              on the machine's own graphics card instead of Chromium's software adapter
${NONLOCAL_USAGE}`;

const OUT = join(PACKAGE_ROOT, 'dist/bench');
const RIVALS = join(PACKAGE_ROOT, 'bench/node_modules');
const WEIGHTS_URL = 'weights';
/** In an isolated page wasm may use threads, if their scripts are sent so too, and clocks are fine. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};
const TYPES: Readonly<Record<string, string>> = {
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

await runCommand(USAGE, async (args) => {
  const network = args.indexOf('--network');
  if (args[network + 1] === 'lcoan' && !args.includes('--weights')) return nonlocalCommand(args);
  const options = parseOptions(args);
  const rivals = options.engines.some(isRival);
  if (rivals) installRivals();
  ensureChromium();
  await buildPage(rivals);
  const server = await preview({
    configFile: false,
    root: PACKAGE_ROOT,
    logLevel: 'warn',
    build: { outDir: OUT },
    plugins: [serveFiles(options.weights)],
    preview: {
      ...{ host: '127.0.0.1', port: 0 },
      headers: ISOLATED,
    },
  });
  try {
    const [url] = server.resolvedUrls?.local ?? [];
    return printResult(await runPage(`${url}bench.html`, options), options);
  } finally {
    await server.close();
  }
});

/** From the lock of bench/, beside the project's own packages; their install scripts are not needed. */
function installRivals(): void {
  if (existsSync(join(RIVALS, 'onnxruntime-web'))) return;
  console.error('Installing the rivals into bench/node_modules.');
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: join(PACKAGE_ROOT, 'bench'),
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new Error('The rivals could not be installed; see above.');
}

/** The page of the site, or the same one with the rivals. */
async function buildPage(rivals: boolean): Promise<void> {
  const withRivals: Plugin = {
    name: 'with-rivals',
    transformIndexHtml: {
      order: 'pre',
      handler: (html) => html.replace('page/site.ts', 'page/rivals.ts'),
    },
  };
  await build({
    configFile: false,
    root: PACKAGE_ROOT,
    base: './',
    logLevel: 'error',
    plugins: [bareShaders(), ...(rivals ? [withRivals] : [])],
    build: {
      ...{ outDir: OUT, emptyOutDir: true, target: 'es2023' },
      rolldownOptions: { input: join(PACKAGE_ROOT, 'bench.html') },
    },
  });
}

/** onnxruntime-web's own files, as it is released, and the weight file of the command line. */
function serveFiles(weights: string | null): Plugin {
  const ort = join(RIVALS, 'onnxruntime-web/dist');
  return {
    name: 'bench-files',
    configurePreviewServer({ middlewares }) {
      middlewares.use(async (request, response, next) => {
        const path = request.url?.split('?')[0] ?? '';
        const file = path.startsWith('/ort/')
          ? join(ort, basename(path))
          : path === `/${WEIGHTS_URL}` && weights !== null
            ? resolve(weights)
            : null;
        if (file === null) return next();
        const content = await readFile(file).catch(() => null);
        if (content === null) return next();
        const type = TYPES[extname(file)] ?? 'application/octet-stream';
        response.writeHead(200, { ...ISOLATED, 'content-type': type }).end(content);
      });
    },
  };
}

async function runPage(url: string, options: BenchOptions) {
  const { engines, sizes, repeats, scale, weights } = options;
  const request: PageRequest = {
    ...{ engines, sizes, repeats, scale },
    weights: weights === null ? null : { url: WEIGHTS_URL, name: basename(weights) },
  };
  const browser = await launch({ webgpu: options.hardware ? 'hardware' : true });
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error.message));
    page.on('console', (message) => console.error(message.text()));
    await page.exposeFunction('onStage', (what: string) => console.error(what));
    await page.goto(url);
    return await page.evaluate((request) => {
      const { crispenBench, onStage } = window as typeof window & {
        onStage: (what: string) => void;
      };
      if (!crispenBench) throw new Error('The page has no bench.');
      return crispenBench(request, onStage);
    }, request);
  } finally {
    await browser.close();
  }
}
