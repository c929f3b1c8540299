/**
 * The report of a GPU, from within the bundle of `pack.mjs` (or the project): adapter and matrix units,
 * kernel tests in f32 and f16, full tuning, profile, bench, PyTorch where there is one. Each section is a
 * process of its own with a limit; within 150 s in all. Prints one JSON object, and writes it to --out
 * (default report.json beside run.sh) after each section.
 *
 *   --small     small sizes, for a software adapter
 *   --icd FILE  the ICD file of a Vulkan driver; default: NVIDIA's of the bundle, or $VK_DRIVER_FILES
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    icd: { type: 'string' },
    out: { type: 'string' },
    seconds: { type: 'string', default: '150' },
  },
});
const { small } = values;
const project = resolve(import.meta.dirname, '../..');
const bundle = resolve(project, '..');
const bundled = join(bundle, 'nvidia_icd.json');
const driver =
  values.icd ?? process.env.VK_DRIVER_FILES ?? (existsSync(bundled) ? bundled : undefined);
const out = resolve(bundle, values.out ?? 'report.json');
const libraries = [join(bundle, 'lib'), '/usr/local/nvidia/lib64', '/usr/local/nvidia/lib'];
const inherited = process.env.LD_LIBRARY_PATH;
const env = {
  ...process.env,
  ...(driver && { VK_DRIVER_FILES: resolve(driver), CRISPEN_F16_ICD: resolve(driver) }),
  LD_LIBRARY_PATH: [...libraries.filter(existsSync), ...(inherited ? [inherited] : [])].join(':'),
  NODE_NO_WARNINGS: '1',
};
const sizes = small ? ['16x16', '24x24'] : ['128x128', '512x512'];
const saved = join(tmpdir(), `crispen-run-${process.pid}.safetensors`);
const started = performance.now();
const left = () => Number(values.seconds) - (performance.now() - started) / 1000;

/** @type {{ seconds: number, sections: Record<string, unknown> }} */
const report = { seconds: 0, sections: {} };
const node = process.execPath;
const ran = (/** @type {string[]} */ ...args) => [node, 'scripts/run.mjs', ...args];

await section('adapter', 15, [node, 'scripts/gpu/adapter.mjs'], JSON.parse);
const tests = small
  ? ['src/kernels/vector', 'src/kernels/maps/rearrange', '-t', 'shuffle']
  : ['src/kernels'];
for (const project of ['gpu', 'f16']) {
  const file = join(tmpdir(), `crispen-tests-${project}-${process.pid}.json`);
  const vitest = [node, 'node_modules/vitest/vitest.mjs', 'run', '--project', project];
  const asJson = ['--reporter=json', `--outputFile=${file}`];
  await section(
    `tests ${project === 'gpu' ? 'f32' : project}`,
    40,
    [...vitest, ...tests, ...asJson],
    () => summary(file),
  );
}
const fusions = small ? [] : ['--fusions', 'ops,blocks'];
await section(
  'tuning',
  35,
  ran(
    'src/cli/tune.ts',
    '--json',
    '--sizes',
    small ? '9x7' : sizes.join(),
    '--repeats',
    '5',
    ...(small ? ['--fusions', 'ops'] : fusions),
  ),
  JSON.parse,
);
for (const precision of ['f32', 'f16']) {
  const size = sizes[sizes.length - 1];
  const args = ['--json', '--size', size, '--precision', precision, '--repeats', small ? '1' : '3'];
  await section(`profile ${precision}`, 20, ran('bench/profile.ts', ...args), JSON.parse);
}
const engines = small ? 'crispen-fused' : 'crispen-fused,crispen-unfused,crispen-f16';
const bench = [
  'bench/dawn.ts',
  '--json',
  '--sizes',
  small ? sizes[0] : sizes.join(),
  '--engines',
  engines,
];
await section('bench', 25, ran(...bench, '--save', saved), lines);
await section('pytorch', 30, ['python3', 'bench/pytorch.py', '--against', saved], lines);
rmSync(saved, { force: true });
console.log(JSON.stringify(report));
const failed = Object.values(report.sections).some(
  (one) => one !== null && Object(one).error !== undefined,
);
process.exitCode = failed ? 1 : 0;

/**
 * Runs a command and adds what it printed, or why it failed.
 * @param {string} name
 * @param {number} most seconds
 * @param {string[]} command
 * @param {(output: string) => unknown} read
 */
async function section(name, most, command, read) {
  const seconds = Math.min(most, left());
  const began = performance.now();
  console.error(`${name} …`);
  const result = seconds < 2 ? { error: 'no time left' } : await run(command, seconds, read);
  report.sections[name] = { seconds: round((performance.now() - began) / 1000), ...result };
  report.seconds = round((performance.now() - started) / 1000);
  writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
}

/**
 * @param {string[]} command
 * @param {number} seconds
 * @param {(output: string) => unknown} read
 * @returns {Promise<{ result: unknown } | { error: string } | { skipped: string }>}
 */
function run([file, ...args], seconds, read) {
  // PyTorch has libraries of its own.
  const own = file === 'python3' ? { ...process.env } : env;
  return new Promise((done) => {
    const child = spawn(file, args, { cwd: project, env: own, stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      errors = `${errors}${chunk}`.slice(-2000);
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    child.on('error', (error) => {
      clearTimeout(timer);
      done(file === 'python3' ? { skipped: 'no python3' } : { error: String(error) });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (file === 'python3' && /No module named/.test(errors)) {
        return done({ skipped: errors.trim().split('\n').at(-1) ?? '' });
      }
      try {
        const result = read(output);
        // A tuning or test run that found something wrong still has its result.
        done(code === 0 ? { result } : { result, error: signal ?? `exit code ${code}` });
      } catch {
        const why = signal ? `ended after ${seconds.toFixed(0)} s` : `exit code ${code}`;
        done({ error: `${why}: ${errors.trim() || output.slice(-500)}` });
      }
    });
  });
}

/** @param {string} output */
function lines(output) {
  const found = output
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  if (found.length === 0) throw new Error('nothing was printed');
  return found.map((line) => JSON.parse(line));
}

/** @param {string} file of vitest's JSON reporter */
function summary(file) {
  const { numTotalTests, numPassedTests, numFailedTests, numPendingTests, testResults } =
    JSON.parse(readFileSync(file, 'utf8'));
  rmSync(file);
  const failures = testResults.flatMap(
    (
      /** @type {{ assertionResults: { status: string, fullName: string, failureMessages: string[] }[] }} */ {
        assertionResults,
      },
    ) =>
      assertionResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => ({
          test: fullName,
          why: failureMessages[0]?.slice(0, 300),
        })),
  );
  return {
    tests: numTotalTests,
    passed: numPassedTests,
    failed: numFailedTests,
    skipped: numPendingTests,
    failures: failures.slice(0, 20),
  };
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
