/**
 * Creates a GPU report, either inside the bundle that `pack.mjs` created or in the project. The
 * sections are adapter and matrix units, kernel tests in f32 and f16, full tuning, profile, bench,
 * and PyTorch if it is installed. Each section runs in a separate process with a share of the total
 * time, which is at most 150 s. The script prints one JSON object. It also writes this object to
 * --out (default: report.json next to run.sh) after each section. A summary of each section is
 * printed to stderr.
 *
 *   --small     small sizes, for a software adapter
 *   --icd FILE  the ICD file of a Vulkan driver; default: the bundle's, or $VK_DRIVER_FILES
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { linesOf } from './lines.mjs';

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
  // On real hardware, all kernels are tested in f16. A software driver would need an hour to
  // compile them.
  ...(!small && { CRISPEN_LARGE: '1' }),
};
const sizes = small ? ['16x16', '24x24'] : ['128x128', '512x512'];
const saved = join(tmpdir(), `crispen-run-${process.pid}.safetensors`);
const started = performance.now();
/** A command that does not exit when requested is killed after this time. */
const GRACE_SECONDS = 2;
const left = () => Number(values.seconds) - (performance.now() - started) / 1000;

/** @type {{ seconds: number, sections: Record<string, unknown> }} */
const report = { seconds: 0, sections: {} };
const node = process.execPath;
const ran = (/** @type {string[]} */ ...args) => [node, 'scripts/run.mjs', ...args];

/** Each section's share of the remaining time, relative to the shares of the sections after it. */
const SHARES = {
  adapter: 5,
  'tests f32': 35,
  'tests f16': 35,
  tuning: 30,
  'profile f32': 12,
  'profile f16': 12,
  bench: 20,
  pytorch: 12,
};

/** @type {any} */
const adapter = await section('adapter', [node, 'scripts/gpu/adapter.mjs'], JSON.parse);
const hasF16 = adapter?.features.includes('shader-f16') ?? true;
const noF16 = 'the adapter has no shader-f16';
// A software driver would need minutes to compile the other tests.
const tests = small ? 'src/kernels/kernels.gpu' : 'src/kernels';
for (const [project, name] of /** @type {const} */ ([
  ['gpu', 'tests f32'],
  ['f16', 'tests f16'],
])) {
  if (project === 'f16' && !hasF16) {
    skip(name, noF16);
    continue;
  }
  const file = join(tmpdir(), `crispen-tests-${project}-${process.pid}.json`);
  const vitest = [node, 'node_modules/vitest/vitest.mjs', 'run', '--project', project];
  const asJson = ['--reporter=json', `--outputFile=${file}`];
  await section(name, [...vitest, tests, ...asJson], () => summary(file));
}
const tuning = ['--json', '--sizes', small ? '9x7' : sizes.join(), '--repeats', small ? '1' : '5'];
const fusions = ['--fusions', small ? 'ops' : 'ops,blocks'];
await section('tuning', ran('src/cli/tune.ts', ...tuning, ...fusions), measured);
for (const [precision, name] of /** @type {const} */ ([
  ['f32', 'profile f32'],
  ['f16', 'profile f16'],
])) {
  if (precision === 'f16' && !hasF16) {
    skip(name, noF16);
    continue;
  }
  const size = sizes[sizes.length - 1];
  const args = ['--json', '--size', size, '--precision', precision, '--repeats', small ? '1' : '3'];
  await section(name, ran('bench/profile.ts', ...args), JSON.parse);
}
const engines = small
  ? ['crispen-fused']
  : ['crispen-fused', 'crispen-unfused', ...(hasF16 ? ['crispen-f16'] : [])];
const timed = ['--json', '--sizes', small ? sizes[0] : sizes.join(), '--engines', engines.join()];
await section('bench', ran('bench/dawn.ts', ...timed, '--save', saved), lines);
// PyTorch's compiled variants would take longer than all other sections together.
const eager = ['--engines', 'torch-eager-fp32,torch-eager-tf32,torch-eager-fp16'];
if (existsSync(saved)) {
  await section('pytorch', ['python3', 'bench/pytorch.py', '--against', saved, ...eager], lines);
} else {
  skip('pytorch', 'the bench left no pictures to compare');
}
rmSync(saved, { force: true });
console.log(JSON.stringify(report));
const failed = Object.values(report.sections).some(
  (one) => one !== null && Object(one).error !== undefined,
);
process.exitCode = failed ? 1 : 0;

/**
 * Runs a command. Adds its result or the reason for its failure to the report.
 * @param {keyof typeof SHARES} name
 * @param {string[]} command
 * @param {(output: string) => unknown} read
 * @returns {Promise<unknown>} the result, if there is one
 */
async function section(name, command, read) {
  const shares = Object.entries(SHARES).filter(([key]) => report.sections[key] === undefined);
  const seconds = (left() * SHARES[name]) / shares.reduce((sum, [, share]) => sum + share, 0);
  const began = performance.now();
  console.error(`${name}, at most ${seconds.toFixed(0)} s …`);
  const result = seconds < 2 ? { error: 'no time left' } : await run(command, seconds, read);
  add(name, { seconds: round((performance.now() - began) / 1000), ...result });
  return 'result' in result ? result.result : undefined;
}

/**
 * @param {keyof typeof SHARES} name
 * @param {string} why
 */
function skip(name, why) {
  add(name, { skipped: why });
}

/**
 * @param {keyof typeof SHARES} name
 * @param {Record<string, unknown>} entry
 */
function add(name, entry) {
  report.sections[name] = entry;
  report.seconds = round((performance.now() - started) / 1000);
  writeFileSync(out, `${JSON.stringify(report, null, 2)}\n`);
  console.error(linesOf(name, entry).join('\n'));
}

/**
 * @param {string[]} command
 * @param {number} seconds
 * @param {(output: string) => unknown} read
 * @returns {Promise<{ result: unknown, error?: string } | { error: string } | { skipped: string }>}
 */
function run([file, ...args], seconds, read) {
  // PyTorch uses its own libraries, so it runs in the original environment.
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
    let isLate = false;
    const timers = [
      setTimeout(() => {
        isLate = true;
        child.kill('SIGTERM');
      }, seconds * 1000),
      setTimeout(() => child.kill('SIGKILL'), (seconds + GRACE_SECONDS) * 1000),
    ];
    child.on('error', (error) => {
      timers.forEach(clearTimeout);
      done(file === 'python3' ? { skipped: 'no python3' } : { error: String(error) });
    });
    child.on('close', (code, signal) => {
      timers.forEach(clearTimeout);
      if (file === 'python3' && /No module named/.test(errors)) {
        return done({ skipped: errors.trim().split('\n').at(-1) ?? '' });
      }
      const why = isLate ? `ended after ${seconds.toFixed(0)} s` : (signal ?? `exit code ${code}`);
      try {
        const result = read(output);
        // A tuning or test run that found a problem still has a result.
        done(code === 0 && !isLate ? { result } : { result, error: why });
      } catch {
        done({ error: `${why}: ${errors.trim() || output.slice(-500)}` });
      }
    });
  });
}

/**
 * Returns the result of a tuning run. If the run was stopped, returns its measurements.
 * @param {string} output
 */
function measured(output) {
  const found = lines(output);
  const last = found[found.length - 1];
  return last.best ? last : { measurements: found };
}

/** @param {string} output */
function lines(output) {
  const found = output
    // A killed process's output can end with an incomplete line.
    .slice(0, output.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line.startsWith('{'));
  if (found.length === 0) throw new Error('nothing was printed');
  return found.map((line) => JSON.parse(line));
}

/** @param {string} file the file that vitest's JSON reporter wrote */
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
