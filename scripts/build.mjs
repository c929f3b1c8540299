/**
 * npm run build: builds the site (dist/site) with the API reference (dist/site/api), the library
 * (dist/lib), and the command line and the library for Node (dist/cli, dist/node). `--only
 * site|api|lib|cli` builds only one of these.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'vite';
import { WORKER_CHUNKS } from './chunks.mjs';
import { licences } from './licences.mjs';
import { bareShaders } from './shaders.mjs';

const root = resolve(import.meta.dirname, '..');
/** The weight file that the package contains. */
const PACKAGED = 'a2n-photo-x2.safetensors';
const steps = { site: buildSite, api: buildReference, lib: buildLibrary, cli: buildCommandLine };

const { values } = parseArgs({ options: { only: { type: 'string' } } });
if (values.only !== undefined && !Object.hasOwn(steps, values.only)) {
  console.error(`--only takes one of: ${Object.keys(steps).join(', ')}`);
  process.exit(2);
}
for (const [name, step] of Object.entries(steps)) {
  if (values.only === undefined || values.only === name) await step();
}

async function buildSite() {
  await build({ root, logLevel: 'warn' });
  console.log('dist/site: the site');
}

/**
 * Builds pages from the docstrings in the public entry files. Types that are only referenced get no
 * page.
 */
function buildReference() {
  const entries = ['index.ts', 'element/define.ts', 'element/preview.ts', 'engine/public.ts'];
  entries.push('node/public.ts');
  const options = ['--tsconfig', 'tsconfig.build.json', '--readme', 'none', '--disableSources'];
  options.push('--name', 'Crispen', '--out', 'dist/site/api', '--excludePrivate');
  options.push(
    '--validation.notExported',
    'false',
    '--treatWarningsAsErrors',
    '--logLevel',
    'Warn',
  );
  for (const entry of entries) options.push('--entryPoints', `src/${entry}`);
  const program = resolve(root, 'node_modules/typedoc/bin/typedoc');
  const { status } = spawnSync(process.execPath, [program, ...options], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('The API reference could not be written.');
  console.log('dist/site/api: the API reference');
}

/**
 * Builds the page's ES modules, index.js and element.js, with chunks page-*.js that they share or
 * load lazily. Also builds worker.js, its chunks worker-*.js, and the declarations. All files must
 * be in the same folder.
 */
async function buildLibrary() {
  rmSync(resolve(root, 'dist/lib'), { recursive: true, force: true });
  await buildEntries('page', {
    index: 'src/index.ts',
    element: 'src/element/define.ts',
    preview: 'src/element/preview.ts',
  });
  await buildEntries('engine', { engine: 'src/engine/public.ts' });
  await buildEntries('worker', { worker: 'src/worker/worker.ts' });
  cpSync(resolve(root, 'public/models', PACKAGED), resolve(root, 'dist/lib/models', PACKAGED));
  const tsc = spawnSync('npx', ['tsc', '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (tsc.status !== 0) throw new Error('The declarations could not be written.');
  console.log('dist/lib: the library');
}

/**
 * @param {string} chunks the prefix for chunk names
 * @param {Record<string, string>} entries the source files, by the built files' names
 */
async function buildEntries(chunks, entries) {
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    plugins: [filesBesideTheLibrary(), bareShaders(), licences({ emit: false })],
    build: {
      outDir: 'dist/lib',
      emptyOutDir: false,
      target: 'es2023',
      sourcemap: true,
      rolldownOptions: {
        // Chunks can import shared code from worker.js, so nothing is loaded twice or
        // unnecessarily.
        preserveEntrySignatures: 'allow-extension',
        output: {
          minify: true,
          chunkFileNames: `${chunks}-[name].js`,
          // The code that an entry always loads is a single file, which compresses better and needs
          // only one request.
          ...(chunks !== 'page' && {
            codeSplitting: { groups: [{ name: 'core', tags: ['$initial'] }, ...WORKER_CHUNKS] },
          }),
          // Users bundle the page's part, and bundlers use purity annotations. A worker is not
          // bundled again.
          comments: { annotation: chunks === 'page' },
        },
      },
      lib: { entry: entries, formats: ['es'], fileName: (_format, name) => `${name}.js` },
    },
  });
}

/**
 * Puts one model's weights next to the library, and fixes URLs. In the source, the client starts
 * `../worker.ts`, and the AVIF encoder fetches its program from its package. Vite would bundle the
 * worker again, inline the program as text, and generate URLs that no other bundler understands.
 * The built library uses the form that all bundlers understand: `new Worker(new URL('./worker.js',
 * import.meta.url), { type: 'module' })`.
 * @returns {import('vite').Plugin}
 */
function filesBesideTheLibrary() {
  const inSource =
    /new URL\(\s*(['"])(?:\.\.\/(worker)\.ts|(avif_enc\.wasm))\1,\s*import\.meta\.url,?\s*\)/g;
  const model = '__CRISPEN_MODEL_URL__';
  // In runtimes without import.meta.url, the AVIF encoder assigns a value to it. Bundlers replace
  // the expression with a string, so the assignment would be a syntax error. All module runtimes
  // that Crispen supports provide import.meta.url.
  const assignment =
    /if\s*\(import\.meta\.url===undefined\)\s*\{import\.meta\.url="https:\/\/localhost"\}/;
  const placeholder = /__CRISPEN_URL_OF_(.+?)__/g;
  return {
    name: 'files-beside-the-library',
    enforce: 'pre',
    transform(code, id) {
      if (id.endsWith('/worker/page/packaged.ts')) {
        return { code: `export const PACKAGED = { '${PACKAGED}': ${model}.href }`, map: null };
      }
      const replaced = code
        .replaceAll(
          inSource,
          (_all, _quote, worker, wasm) => `__CRISPEN_URL_OF_${worker ? 'worker.js' : wasm}__`,
        )
        .replace(assignment, '');
      return replaced === code ? null : { code: replaced, map: null };
    },
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue;
        chunk.code = chunk.code
          .replaceAll(model, `new URL("./models/${PACKAGED}", import.meta.url)`)
          .replaceAll(placeholder, 'new URL("./$1", import.meta.url)');
        if (!chunk.code.includes('avif_enc.wasm')) continue;
        const fileName = 'avif_enc.wasm';
        const source = readFileSync(
          resolve(root, 'node_modules/@jsquash/avif/codec/enc', fileName),
        );
        this.emitFile({ type: 'asset', fileName, source });
      }
    },
  };
}

/**
 * Builds the command line and the library for Node as one file each. npm packages are imported and
 * not bundled.
 */
async function buildCommandLine() {
  await buildForNode('src/cli/crispen.ts', 'dist/cli', 'crispen.js');
  await buildForNode('src/node/public.ts', 'dist/node', 'node.js');
  console.log('dist/cli, dist/node: the command line, and the library for Node');
}

/**
 * @param {string} entry
 * @param {string} outDir a folder two levels below the package's root; the built code expects the
 *   weights in the root
 * @param {string} file
 */
async function buildForNode(entry, outDir, file) {
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    plugins: [bareShaders()],
    build: {
      outDir,
      target: 'node20',
      ssr: resolve(root, entry),
      rolldownOptions: { output: { entryFileNames: file, codeSplitting: false } },
    },
  });
}
