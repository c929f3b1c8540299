/** Opens the bench's page in a headless Chromium. The page is served from this machine. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import type { Page } from 'playwright';
import { build, type Plugin, preview } from 'vite';
import { launch } from '../e2e/browser.ts';
import { ensureChromium } from '../scripts/chromium.mjs';
import { bareShaders } from '../scripts/shaders.mjs';
import { PACKAGE_ROOT } from '../src/node/model.ts';

/** The scripts in `bench/page` that the page can start with. */
export type PageScript = 'site' | 'rivals' | 'layers';

const OUT = join(PACKAGE_ROOT, 'dist/bench');
const RIVALS = join(PACKAGE_ROOT, 'bench/node_modules');
/** The URL from which the page loads the weight file. */
export const WEIGHTS_URL = 'weights';
/**
 * The headers for an isolated page. In such a page, clocks are precise, and WebAssembly can use
 * threads if their scripts have the same headers.
 */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};
const TYPES: Readonly<Record<string, string>> = {
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};

/**
 * Builds the page, installs the rivals if the page needs them, and serves and opens the page.
 * @param weights a file that the page loads from `WEIGHTS_URL`
 */
export async function openPage(
  script: PageScript,
  options: { readonly webgpu: boolean | 'hardware'; readonly weights: string | null },
): Promise<{ readonly page: Page; readonly close: () => Promise<void> }> {
  if (script === 'rivals') installRivals();
  ensureChromium();
  await buildPage(script);
  const server = await preview({
    configFile: false,
    root: PACKAGE_ROOT,
    logLevel: 'warn',
    build: { outDir: OUT },
    plugins: [serveFiles(options.weights)],
    preview: { host: '127.0.0.1', port: 0, headers: ISOLATED },
  });
  const browser = await launch({ webgpu: options.webgpu }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  const close = async () => {
    await browser.close().finally(() => server.close());
  };
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error.message));
    page.on('console', (message) => console.error(message.text()));
    await page.goto(`${server.resolvedUrls?.local[0]}bench.html`);
    return { page, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Installs the rivals from the lock file in bench/, which is separate from the project's packages.
 * Runs no install scripts.
 */
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

/** Builds the site's bench page, with its script replaced by the given script. */
async function buildPage(script: PageScript): Promise<void> {
  const withScript: Plugin = {
    name: 'with-script',
    transformIndexHtml: {
      order: 'pre',
      handler: (html) => html.replace('page/site.ts', `page/${script}.ts`),
    },
  };
  await build({
    configFile: false,
    root: PACKAGE_ROOT,
    base: './',
    logLevel: 'error',
    plugins: [bareShaders(), withScript],
    build: {
      outDir: OUT,
      emptyOutDir: true,
      target: 'es2023',
      rolldownOptions: { input: join(PACKAGE_ROOT, 'bench.html') },
    },
  });
}

/** Serves onnxruntime-web's released files, and the weight file from the command line. */
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
