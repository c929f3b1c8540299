import { defineConfig, type Plugin } from 'vite';
import { en as bench } from './bench/page/texts/en.ts';
import { en as demo } from './demo/texts/en.ts';
import { TEXT_ATTRIBUTES } from './demo/texts/languages.ts';
import { WORKER_CHUNKS } from './scripts/chunks.mjs';
import { licences } from './scripts/licences.mjs';
import { docsListings } from './scripts/listings.mjs';
import { offline } from './scripts/offline.mjs';
import { bareShaders } from './scripts/shaders.mjs';
import { pageTexts } from './scripts/texts.mjs';

/**
 * The content policy of the built pages: nothing beyond their own origin. WebAssembly is for machines without
 * a GPU. The bench page loads other runtimes, which need more.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "connect-src 'self' blob: data:",
  "img-src 'self' blob: data:",
  "style-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types crispen',
].join('; ');

const policy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: (html, { path }) =>
    path.endsWith('bench.html')
      ? html
      : {
          html,
          tags: [
            {
              tag: 'meta',
              attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY },
              injectTo: 'head-prepend',
            },
          ],
        },
};

const texts = { 'index.html': demo.page, 'bench.html': bench.page };

/**
 * The site: index.html and demo/, bench.html and docs.html as separate pages. URLs are relative, so
 * any folder of any host can serve it.
 */
export default defineConfig({
  base: './',
  publicDir: 'public',
  build: {
    outDir: 'dist/site',
    target: 'es2023',
    rolldownOptions: { input: ['index.html', 'bench.html', 'docs.html'] },
  },
  plugins: [
    bareShaders(),
    pageTexts(texts, TEXT_ATTRIBUTES),
    docsListings(),
    policy,
    licences({ emit: true }),
    offline(),
  ],
  worker: {
    format: 'es',
    plugins: () => [bareShaders(), licences({ emit: false })],
    rolldownOptions: { output: { codeSplitting: { groups: WORKER_CHUNKS } } },
  },
});
