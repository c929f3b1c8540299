/**
 * npm run reverts -- [--only NAME,NAME] [--json]
 *
 * Shows that every fix in the list has a test that fails without it. In a copy of the working tree,
 * each test runs unchanged and must pass. Then the fix is reverted, and the test must fail. With
 * `--json`, the last line is `{reverts, noticed, unnoticed}`. The exit code is 1 unless all are
 * noticed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { reverts } from './list.ts';
import type { Revert } from './revert.ts';

const { values } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'boolean', default: false } },
});
const only = values.only?.split(',');
const unknown = only?.filter((name) => !reverts.some((revert) => revert.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(`--only: there is no ${unknown.join(', ')}.`);
  process.exit(2);
}
const wanted = reverts.filter(({ name }) => only?.includes(name) ?? true);

const shared = resolve(process.env.CRISPEN_SHARED ?? '../shared');
const copy = mkdtempSync(join(tmpdir(), 'crispen-reverts-'));
const unnoticed: string[] = [];
try {
  copyTree(copy);
  for (const revert of wanted) {
    const start = performance.now();
    const before = run(revert);
    const after = before.failed === 0 && before.passed > 0 ? withoutFix(revert) : null;
    const isNoticed = after !== null && after.failed > 0;
    if (!isNoticed) unnoticed.push(revert.name);
    const verdict =
      after === null
        ? `the test did not pass as it is (${before.passed} passed, ${before.failed} failed)`
        : `${after.failed} failed, ${after.passed} passed without the fix${isNoticed ? `: ${after.reason}` : ''}`;
    const time = ((performance.now() - start) / 1000).toFixed(0);
    console.log(
      `${revert.name} ${isNoticed ? 'noticed' : 'NOT NOTICED'} (${time} s): ${revert.fault}`,
    );
    console.log(`  ${revert.test.join(': ')}\n  ${verdict}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
const noticed = wanted.length - unnoticed.length;
console.log(
  values.json
    ? JSON.stringify({ reverts: wanted.length, noticed, unnoticed })
    : `${noticed} of ${wanted.length} noticed`,
);
process.exitCode = unnoticed.length > 0 ? 1 : 0;

/** Copies the current state of all files that are under version control, and of new files. */
function copyTree(to: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  for (const name of new Set(listed.split('\0').filter(existsSync)))
    cpSync(name, join(to, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(to, 'node_modules'));
}

/** Runs the test without the fix. */
function withoutFix(revert: Revert): Outcome {
  const kept = new Map<string, string>();
  try {
    for (const { file, from, to } of revert.edits) {
      const path = join(copy, file);
      const text = readFileSync(path, 'utf8');
      if (!kept.has(path)) kept.set(path, text);
      writeFileSync(
        path,
        text.replace(from, () => to),
      );
    }
    return run(revert);
  } finally {
    for (const [path, text] of kept) writeFileSync(path, text);
  }
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** The first line of the first failure. */
  readonly reason: string;
}

function run({ project, test: [file, title] }: Revert): Outcome {
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const pattern = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', file, '--project', project];
  spawnSync(
    process.execPath,
    [...vitest, '-t', pattern, '--update=none', '--reporter', 'json', '--outputFile', report],
    {
      cwd: copy,
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { ...process.env, CRISPEN_SHARED: shared },
    },
  );
  if (!existsSync(report)) return { passed: 0, failed: 0, reason: 'no report' };
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failures = results.filter(({ status }) => status === 'failed');
  return {
    passed: results.filter(({ status }) => status === 'passed').length,
    failed: failures.length,
    reason: failures[0]?.failureMessages[0]?.split('\n')[0] ?? '',
  };
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}
