/**
 * npm test: runs everything that must pass before a change is merged. Every step runs even if an
 * earlier step failed. The last line counts the tests of all steps. Each check counts as one test.
 * `--only check|unit|gpu|f16|size|package|e2e` runs one group, and `--only unit,f16` runs several
 * groups. `--only bare` runs the tests that use reference material or a driver with shader-f16, but
 * hides both, as on a new contributor's machine.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { ensureChromium } from './chromium.mjs';
import { runExamples } from './examples.mjs';

/**
 * The size limit in bytes for index.js, worker.js and all their static imports. Each file is
 * gzipped separately. A page loads these files to upscale with a shipped model.
 */
const CORE_LIMIT = 60 * 1024;
/** The limit for the element alone, which a page loads before the first paint. */
const ELEMENT_LIMIT = 25 * 1024;
/** The limit for the element and all files that it loads to upscale with a shipped model. */
const ELEMENT_ALL_LIMIT = 80 * 1024;
/**
 * The limit for all files that a worker loads because there is no GPU. If each thread has its own
 * memory, the files include the tiler, which divides the image. If memory is shared, they include
 * the crew.
 */
const CPU_LIMIT = 16 * 1024;
/**
 * The limit for all files, including lazily loaded chunks and the separate entry crispen/engine.
 */
const TOTAL_LIMIT = 349 * 1024;

/**
 * Lazily loaded chunks, without their build's prefix. Each entry has the limit in KiB gzipped and a
 * description. Chunks below 1 KiB, which bundlers create for code that several other chunks share,
 * need no entry.
 * @type {Readonly<Record<string, readonly [number, string]>>}
 */
const CHUNK_LIMITS = {
  added: [11, 'weight files that people add: checkpoint readers, the store'],
  blocks: [6, 'larger ops of A2N and PAN, where a tuning has chosen them'],
  inspect: [8, 'what attention does, read from traced tensors'],
  avif: [9, 'results as AVIF; the encoder itself is a file of its own'],
  container: [4, 'what images hold beside pixels, with the first file'],
  convMatrix: [2.5, 'maps in f16 on adapters with subgroup matrices'],
  cpu: [12, 'networks without a GPU, in WebAssembly'],
  crew: [1.5, 'threads in cross-origin isolated pages'],
  decodeFile: [1.5, 'images that are files'],
  detect: [2, 'models of other families than A2N and PAN, shipped or added'],
  draw: [2, 'results on a canvas'],
  interpreter: [6, 'the oracle, where the CPU has no WebAssembly SIMD'],
  look: [3, 'the first picture of an element, to see whether it moves'],
  layers: [2.5, '`tune`: layers of A2N, measured'],
  measure: [2, '`tune: true`: all candidates'],
  'nonlocal.reference': [2.5, 'loops of non-local attention, for inspect() and the oracle'],
  nonlocal: [10, 'networks with non-local attention'],
  averagedModel: [2, 'networks that run in averaged tiles'],
  merge: [3, 'larger ops of transformers on a GPU'],
  merged: [8, 'their kernels'],
  plksr: [3.5, 'RealPLKSR and relatives: large kernels, group norm, DySample'],
  pngChunks: [1.5, 'PNG files, read or written'],
  png16: [9, 'PNG of 16 bits per sample'],
  quick: [1.5, '`tune: quick`: a few kernels, after the first image'],
  registry: [21, 'all families of networks, with detect'],
  resize: [5, 'exact sizes and alpha'],
  relaxed: [3, 'the WebAssembly module, where the runtime has relaxed SIMD'],
  simd: [3, 'the WebAssembly module elsewhere'],
  result: [4, 'results that are files'],
  others: [3, 'ops that the CPU backend needs for networks other than A2N and PAN'],
  source: [6, 'images that are files: what their values mean'],
  statistics: [2.5, 'A2N on images that are cut into tiles'],
  tiler: [2, 'images that do not fit the memory budget whole'],
  transformerOp: [1.5, 'rules of the ops of light transformers'],
  transformer: [8, 'networks with ops of light transformers'],
  transformer2: [2, 'what the kernels of transformers share'],
  tuning: [1.5, 'the table of adapters and variants'],
  trunk: [2, 'non-local attention on images that do not fit whole'],
  tuned: [1.5, '`tune`: what was measured before'],
  references: [2, 'loops of the interpreter, of slow ops on the CPU and of averaged tiles'],
  'vector.reference': [1.5, 'vectors and group means on the CPU'],
  vectorAlone: [2, 'poolings and ops on vectors outside of larger ops'],
};

/**
 * Matches the files that the package may contain besides dist/lib's declarations and source maps. A
 * shared chunk is named after its first module, such as nonlocal.reference.
 */
const PACKED =
  /^(package\.json|README\.md|CHANGELOG\.md|THIRD-PARTY\.md|LICENSE|bin\/crispen\.mjs|dist\/(lib|cli|node)\/[\w-]+(\.reference)?\.js|dist\/lib\/avif_enc\.wasm|dist\/lib\/models\/a2n-photo-x2\.safetensors)$/;

const root = resolve(import.meta.dirname, '..');
const GROUPS = ['check', 'unit', 'gpu', 'f16', 'size', 'package', 'e2e'];
/**
 * The maximum number of skipped tests per file that the summary lists by name. Further tests are
 * only counted.
 */
const SKIPS_NAMED = 3;
/** Environment variables that hide the reference material and the shader-f16 driver. */
const BARE = { CRISPEN_SHARED: '/nonexistent', CRISPEN_F16_ICD: '/nonexistent' };

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const groups = values.only?.split(',') ?? GROUPS;
if (!groups.every((group) => [...GROUPS, 'bare'].includes(group))) {
  console.error(`--only takes one or more of: ${GROUPS.join(', ')}, bare`);
  process.exit(2);
}
const wanted = (/** @type {string} */ group) => groups.includes(group);

const count = { passed: 0, failed: 0 };
/** @type {string[]} */
const failures = [];
/** Browser tests that failed at first and passed on the second try. @type {string[]} */
const unsteady = [];
/** Titles of skipped tests, by file path. @type {Map<string, string[]>} */
const skips = new Map();
const temporary = mkdtempSync(join(tmpdir(), 'crispen-test-'));

try {
  if (wanted('gpu') || wanted('e2e')) setUp();
  if (wanted('check')) await checks();
  if (wanted('unit')) await tests('unit', ['unit', 'unit-timed']);
  if (wanted('gpu')) await tests('gpu', ['gpu']);
  if (wanted('f16')) await tests('f16', ['f16']);
  if (wanted('bare')) {
    const readers = filesNaming('CRISPEN_SHARED', ['src', 'test', 'bench']);
    await tests('bare unit', ['unit', 'unit-timed'], ['related', ...readers], BARE);
    await tests('bare f16', ['f16'], ['run'], BARE);
  }
  if (wanted('size')) await step('library size', size);
  if (wanted('package')) {
    await step('package', packed);
    await step('examples with the package', () => runExamples(archiveOfPack(), temporary));
  }
  if (wanted('e2e')) await tests('e2e', ['e2e']);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

let skipped = 0;
if (skips.size > 0) console.log('\nSkipped:');
for (const [path, titles] of skips) {
  skipped += titles.length;
  const more = titles.length > SKIPS_NAMED ? ` and ${titles.length - SKIPS_NAMED} more` : '';
  console.log(`  ${path}: ${titles.slice(0, SKIPS_NAMED).join('; ')}${more}`);
}
if (unsteady.length > 0)
  console.log(`\nFailed at first:\n${unsteady.map((name) => `  ${name}`).join('\n')}`);
if (failures.length > 0)
  console.log(`\nFailed:\n${failures.map((name) => `  ${name}`).join('\n')}`);
console.log(`\n${count.passed} passed, ${count.failed} failed, ${skipped} skipped`);
process.exitCode = count.failed > 0 ? 1 : 0;

/** Finds the browser and the adapter. Throws if one is missing, because the tests need both. */
function setUp() {
  heading('set-up');
  const { chromium, swiftShader } = ensureChromium();
  console.log(`chromium  ${chromium}`);
  console.log(`driver    ${process.env.VK_DRIVER_FILES || swiftShader || "the system's own"}`);
  const { status } = spawnSync(process.execPath, ['scripts/adapter.mjs'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error('Node finds no WebGPU adapter: the GPU tests cannot run.');
}

async function checks() {
  await step('format and lint', () => tool('biome', ['ci', '.']));
  // Two compilers run at a time. More compilers would compete for the cores on a small machine.
  const configs = ['core', 'worker', '', 'node'].map((name) =>
    name ? `tsconfig.${name}.json` : 'tsconfig.json',
  );
  const next = async () => {
    for (let config = configs.shift(); config; config = configs.shift()) {
      const file = config;
      await step(`types: ${file}`, () => tool('tsc', ['-p', file, '--pretty', 'false']));
    }
  };
  await Promise.all([next(), next()]);
  await step('import arrows and cycles', () =>
    tool('depcruise', ['src', 'demo', 'e2e', '--config', '.dependency-cruiser.cjs']),
  );
}

/**
 * Runs one check, counts it, and prints its output when it ends.
 * @param {string} name
 * @param {() => Promise<{ ok: boolean, output: string }>} run
 */
async function step(name, run) {
  const start = performance.now();
  const { ok, output } = await run();
  if (ok) count.passed++;
  else fail(name);
  heading(`${name}: ${ok ? 'ok' : 'FAILED'} (${seconds(start)})`);
  if (output.trim()) console.log(output.trimEnd());
}

/**
 * Returns the source files that contain a word.
 * @param {string} word
 * @param {string[]} folders
 */
function filesNaming(word, folders) {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(folder, name),
      ),
    )
    .filter(
      (name) => name.endsWith('.ts') && readFileSync(join(root, name), 'utf8').includes(word),
    );
}

/**
 * Runs Vitest projects and counts their tests.
 * @param {string} name
 * @param {string[]} projects
 * @param {string[]} what a Vitest command and its files
 * @param {Record<string, string>} env
 */
async function tests(name, projects, what = ['run'], env = {}) {
  const start = performance.now();
  heading(`tests: ${name}`);
  const report = join(temporary, `${name}.json`);
  const vitest = spawn(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      ...what,
      '--run',
      ...projects.flatMap((project) => ['--project', project]),
      // A missing snapshot makes the test fail, as on a fresh machine. By default, Vitest would
      // write the snapshot.
      '--update=none',
      ...['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${report}`],
    ],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } },
  );
  const { status } = await ended(vitest);
  const before = count.failed;
  for (const file of existsSync(report)
    ? JSON.parse(readFileSync(report, 'utf8')).testResults
    : []) {
    const path = relative(root, file.name);
    for (const test of file.assertionResults) {
      const title = `${path}: ${test.fullName}${reason(test.failureMessages.join('\n'))}`;
      if (test.status === 'passed') {
        count.passed++;
        if (test.failureMessages.length > 0) unsteady.push(title);
      } else if (test.status === 'failed') fail(title);
      else skips.set(path, [...(skips.get(path) ?? []), test.fullName]);
    }
    // A file that fails to load reports no tests.
    if (file.status === 'failed' && !file.assertionResults.some(isFailed))
      fail(`${path}${reason(file.message)}`);
  }
  if (status !== 0 && count.failed === before) fail(`${name}: vitest ended with ${status}`);
  console.log(`tests: ${name} (${seconds(start)})`);
}

/**
 * Returns the first lines of an error, indented. They are included in the list of failures at the
 * end, because sometimes only the end of a log is available.
 * @param {string} message
 */
function reason(message) {
  const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
  const lines = message.replace(escapes, '').split('\n').filter(Boolean).slice(0, 4);
  return lines.map((line) => `\n    ${line.trim().slice(0, 200)}`).join('');
}

/** @param {{ status: string }} test */
function isFailed(test) {
  return test.status === 'failed';
}

/**
 * Returns the given library files and all their static imports.
 * @param {string} folder
 * @param {string[]} entries
 */
function withImports(folder, entries) {
  const found = new Set(entries);
  for (const name of found) {
    const code = readFileSync(join(folder, name), 'utf8');
    for (const [, file] of code.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g))
      found.add(file);
  }
  return found;
}

/** Builds the library and measures its size. */
async function size() {
  const built = await command(process.execPath, ['scripts/build.mjs', '--only', 'lib']);
  if (!built.ok) return built;
  const folder = join(root, 'dist/lib');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => ({
      name,
      bytes: gzipSync(readFileSync(join(folder, name)), { level: 9 }).length,
    }));
  const weigh = (/** @type {Set<string>} */ names) =>
    files.reduce((sum, { name, bytes }) => sum + (names.has(name) ? bytes : 0), 0);
  const core = withImports(folder, ['index.js', 'worker.js']);
  // With relaxed SIMD, the smaller file worker-relaxed.js is loaded instead of worker-simd.js.
  const withoutCore = (/** @type {string[]} */ chunks) =>
    new Set(
      [
        ...withImports(
          folder,
          ['cpu', 'simd', ...chunks].map((name) => `worker-${name}.js`),
        ),
      ].filter((name) => !core.has(name)),
    );
  /** @type {[string, Set<string>, number][]} */
  const parts = [
    ['core', core, CORE_LIMIT],
    ['element at first', withImports(folder, ['element.js']), ELEMENT_LIMIT],
    [
      'element in all',
      withImports(folder, ['element.js', 'page-engine.js', 'worker.js']),
      ELEMENT_ALL_LIMIT,
    ],
    ['without a GPU', withoutCore(['tiler']), CPU_LIMIT],
    ['without a GPU, isolated', withoutCore(['crew']), CPU_LIMIT],
    ['everything', new Set(files.map(({ name }) => name)), TOTAL_LIMIT],
  ];
  const atOnce = new Set(parts.slice(0, 3).flatMap(([, names]) => [...names]));
  const tooLarge = files.flatMap(({ name, bytes }) => {
    const chunk = /^(?:page|worker|engine)-([\w.]+)\.js$/.exec(name)?.[1];
    if (chunk === undefined || atOnce.has(name)) return [];
    const limit = (CHUNK_LIMITS[chunk]?.[0] ?? 1) * 1024;
    return bytes > limit
      ? [`${name}: ${kib(bytes)}, more than the ${kib(limit)} of its chunk`]
      : [];
  });
  return {
    // All entries must exist, because a chunk that was renamed would count as 0.
    ok:
      tooLarge.length === 0 &&
      parts.every(([, names, limit]) => {
        return weigh(names) <= limit && [...names].every((name) => existsSync(join(folder, name)));
      }),
    output: [
      ...files.map(({ name, bytes }) => `${name}: ${kib(bytes)} gzipped`),
      ...parts.map(([part, names, limit]) => {
        const list = names.size < files.length ? ` (${[...names].join(', ')})` : '';
        return `${part}: ${kib(weigh(names))} of at most ${kib(limit)}${list}`;
      }),
      ...tooLarge,
    ].join('\n'),
  };
}

/**
 * Packs the library as for publishing, checks the package's contents, and runs two linters on it.
 */
async function packed() {
  const packed = await command('npm', ['pack', '--json', '--pack-destination', temporary]);
  const path = archiveOfPack();
  if (!packed.ok || !existsSync(path)) return { ...packed, ok: false };
  const listed = await command('tar', ['-tzf', path]);
  const names = listed.output
    .split('\n')
    .filter(Boolean)
    .map((name) => name.replace(/^package\//, ''));
  const strange = names
    .filter((name) => !/^dist\/lib\/.*\.(d\.ts|map)$/.test(name))
    .filter((name) => !PACKED.test(name));
  const publint = await tool('publint', ['run', path, '--strict']);
  // A worker script has no types to import, so it is excluded from the check.
  const options = ['--profile', 'esm-only', '--exclude-entrypoints', 'worker', '--no-emoji'];
  const attw = await tool('attw', [path, ...options]);
  return {
    ok: listed.ok && names.length > 10 && strange.length === 0 && publint.ok && attw.ok,
    output: [
      `${names.length} files, not expected: ${strange.join(', ') || 'none'}`,
      ...[publint, attw].filter(({ ok }) => !ok).map(({ output }) => output),
    ].join('\n'),
  };
}

/** Returns the path of the archive that `npm pack` creates. */
function archiveOfPack() {
  const archive = readdirSync(temporary).find((name) => name.endsWith('.tgz'));
  return join(temporary, archive ?? 'none.tgz');
}

/**
 * Runs a development tool.
 * @param {string} name the name of the tool's command
 * @param {string[]} args
 */
function tool(name, args) {
  const path = join(root, 'node_modules/.bin', name);
  return command(process.platform === 'win32' ? `${path}.cmd` : path, args);
}

/**
 * @param {string} path
 * @param {string[]} args
 */
async function command(path, args) {
  const child = spawn(path, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: path.endsWith('.cmd'),
  });
  const { status, output } = await ended(child);
  return { ok: status === 0, output };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<{ status: number | NodeJS.Signals | null, output: string }>}
 */
function ended(child) {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  return new Promise((done) => {
    child.on('error', (error) => done({ status: null, output: `${output}${error.message}` }));
    child.on('close', (code, signal) => done({ status: code ?? signal, output }));
  });
}

/** @param {string} name */
function fail(name) {
  count.failed++;
  failures.push(name);
}

/** @param {string} text */
function heading(text) {
  console.log(`\n== ${text}`);
}

/** @param {number} start */
function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

/** @param {number} bytes */
function kib(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}
