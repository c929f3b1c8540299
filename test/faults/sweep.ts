import { parseArgs } from 'node:util';
import { choice, positiveInteger, runCommand, UsageError } from '../../src/cli/command.ts';
import { DEFAULT_PATIENCE } from '../../src/engine/gpu/watchdog.ts';
import { CrispenError } from '../../src/errors.ts';
import { testGpu } from '../gpu.ts';
import setup from '../gpu-setup.ts';
import { randomStream } from '../random.ts';
import { type Call, type Fault, FaultyGpu, modesOf } from './gpu.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { gpuCallSites } from './sites.ts';

const NAMES = SCENARIOS.map(({ name }) => name);
const USAGE = `
npm run fault-sweep -- [options]

Runs jobs while one call of the GPU fails, a fault at a time, and then a second job. Each first job has to
give the right result or a CrispenError within the time allowed, and each second job the right result. What
goes wrong is tried once more with more patience, because a machine that is busy is slow: it counts if it goes
wrong again. The last line is JSON: {faults, wrong, hang, untyped, nextBroken, sites, reached}, where sites
are the places in src that call WebGPU and reached those that ran. Exit code 1 unless the middle four are 0.

  --network compact|a2n  without the scenario of the other network
  --scenario NAME,...    only these: ${NAMES.join(', ')}
  --range FROM-TO        only these faults of each scenario, such as 0-99
  --short                a few faults of each scenario
  --seed N               default 1
  --patience-ms N        time allowed for each wait on the GPU, default 1500
  --json                 nothing but the last line`;

interface Options {
  readonly short: boolean;
  /** The first and the last fault to run in each scenario. Null means all faults. */
  readonly range: readonly [number, number] | null;
  readonly seed: number;
  readonly patienceMs: number;
  readonly say: (...what: unknown[]) => void;
}
/**
 * The time limit for a job, which can wait for a hung device or for a real device that is
 * compiling.
 */
const HANG_MS = 30_000;
/** The number of faults per scenario in a short run. */
const SHORT = 12;

type Outcome = 'right' | 'typed' | 'untyped' | 'wrong' | 'hang';

interface Counts {
  faults: number;
  unfired: number;
  outcomes: Record<Outcome, number>;
  nextBroken: number;
}

const HUNG = Symbol('hung');

async function outcomeOf(
  job: Promise<ArrayLike<number>>,
  expected: ArrayLike<number> | null,
  check: Scenario['check'],
): Promise<{ outcome: Outcome; detail: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof HUNG>((resolve) => {
    timer = setTimeout(resolve, HANG_MS, HUNG);
  });
  try {
    const result = await Promise.race([job, late]);
    if (result === HUNG) return { outcome: 'hang', detail: '' };
    if (check) {
      try {
        check(result);
      } catch (error) {
        return { outcome: 'wrong', detail: String(error) };
      }
    } else if (expected && !same(result, expected)) return { outcome: 'wrong', detail: '' };
    return { outcome: 'right', detail: '' };
  } catch (error) {
    if (error instanceof CrispenError) {
      return { outcome: 'typed', detail: `${error.code}: ${error.message}` };
    }
    return {
      outcome: 'untyped',
      detail: error instanceof Error ? `${error.stack}` : String(error),
    };
  } finally {
    clearTimeout(timer);
  }
}

const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]));

/** Returns a scenario's faults: every mode, at calls from every site. */
function faultsOf(
  calls: readonly Call[],
  { perSite, realLoss }: Pick<Scenario, 'perSite' | 'realLoss'>,
  random: () => number,
): Fault[] {
  const bySite = new Map<string, Call[]>();
  for (const made of calls) {
    const key = `${made.call} ${made.site}`;
    bySite.set(key, [...(bySite.get(key) ?? []), made]);
  }
  const lostReally = new Set<string>();
  return [...bySite.values()].flatMap((group) =>
    modesOf(group[0].call).flatMap((mode) => {
      const { call } = group[0];
      const most =
        mode !== 'real-loss' ? perSite : realLoss?.test(call) && !lostReally.has(call) ? 1 : 0;
      if (mode === 'real-loss' && most > 0) lostReally.add(call);
      return sampled(group, most, random).map(({ index }) => ({ call, index, mode }));
    }),
  );
}

/** Samples a group: the first item, the last item, and random items between them. */
function sampled<T>(group: readonly T[], most: number, random: () => number): T[] {
  if (group.length <= most) return [...group];
  if (most === 0) return [];
  if (most === 1) return [group[Math.floor(random() * group.length)]];
  const between = group.slice(1, -1).map((item) => [random(), item] as const);
  between.sort(([a], [b]) => a - b);
  const chosen = between.slice(0, most - 2).map(([, item]) => item);
  return [group[0], ...chosen, group[group.length - 1]];
}

/**
 * Places that may call WebGPU outside of error scopes. Polling submits nothing that could fail, and
 * `encode` runs within the caller's own scopes.
 */
const UNSCOPED =
  /^src\/engine\/(gpu\/polling|pipeline\/encode)\.ts:\d+ (createBindGroup|createCommandEncoder|submit)$/;

/** Returns whether only `uncapturederror` would report an error of the call. */
const isLoose = ({ call, site, scopes }: Call): boolean =>
  /^GPUQueue\.(writeBuffer|submit)$|^GPUDevice\.create/.test(call) &&
  scopes < 3 &&
  site !== '' &&
  !UNSCOPED.test(site);

/** Runs a subject without faults. @throws Error if a call is made outside of error scopes */
async function cleanRun(scenario: Scenario, reached: Set<string>) {
  const faulty = new FaultyGpu(testGpu(), null, scenario.isPolled);
  const subject = scenario.open(faulty);
  const results = [await subject.job(0)];
  const calls = [...faulty.calls];
  for (let i = 1; i < 3; i++) results.push(await subject.job(i));
  subject.close();
  for (const { site } of faulty.calls) reached.add(site);
  const loose = new Set(faulty.calls.filter(isLoose).map(({ site }) => site));
  if (loose.size > 0) throw new Error(`outside of error scopes: ${[...loose].join(', ')}`);
  return { calls, results };
}

interface Found {
  readonly first: { readonly outcome: Outcome; readonly detail: string };
  readonly next: { readonly outcome: Outcome; readonly detail: string };
  readonly fired: boolean;
}

const isWrong = ({ first, next }: Found): boolean =>
  next.outcome !== 'right' || (first.outcome !== 'right' && first.outcome !== 'typed');

/** Runs a job in which one call fails, and the next job. */
async function runWith(
  scenario: Scenario,
  fault: Fault,
  results: readonly ArrayLike<number>[],
  reached: Set<string>,
): Promise<Found> {
  const faulty = new FaultyGpu(testGpu(), fault, scenario.isPolled);
  const subject = scenario.open(faulty);
  const first = await outcomeOf(subject.job(0), results[0], scenario.check);
  faulty.disarm();
  const next = await outcomeOf(subject.job(1), results[1], scenario.check);
  subject.close();
  for (const { site } of faulty.calls) reached.add(site);
  return { first, next, fired: faulty.fired };
}

async function sweep(
  scenario: Scenario,
  reached: Set<string>,
  { short, range, seed, patienceMs, say }: Options,
): Promise<Counts> {
  DEFAULT_PATIENCE.ms = 60_000;
  const started = performance.now();
  await cleanRun(scenario, reached); // compiles the kernels
  const { calls, results } = await cleanRun(scenario, reached);
  const clean = performance.now() - started;
  // All kernels are compiled by now, so the engine's time limit can be short.
  DEFAULT_PATIENCE.ms = patienceMs;
  const random = randomStream(seed);
  const perSite = short ? Math.min(1, scenario.perSite) : scenario.perSite;
  const all = faultsOf(calls, { ...scenario, perSite }, random);
  const inRange = range ? all.slice(range[0], range[1] + 1) : all;
  const faults = short ? sampled(inRange, SHORT, random) : inRange;
  say(
    `${scenario.name}: ${calls.length} calls, ${faults.length} faults, clean run ${clean.toFixed(0)} ms`,
  );
  const counts: Counts = {
    faults: faults.length,
    unfired: 0,
    outcomes: { right: 0, typed: 0, untyped: 0, wrong: 0, hang: 0 },
    nextBroken: 0,
  };
  const again: Fault[] = [];
  const tell = (found: Found) => {
    const { first, next, fired } = found;
    if (!fired) counts.unfired++;
    counts.outcomes[first.outcome]++;
    if (next.outcome !== 'right') counts.nextBroken++;
  };
  const runAll = async (some: readonly Fault[]) => {
    for (const fault of some) {
      const found = await runWith(scenario, fault, results, reached);
      if (isWrong(found)) again.push(fault);
      else tell(found);
    }
  };
  // Faults that make a wait never end use no CPU time, so they run in parallel with the other
  // faults.
  const waits = faults.filter(({ mode }) => mode === 'never');
  await Promise.all([runAll(waits), runAll(faults.filter(({ mode }) => mode !== 'never'))]);
  DEFAULT_PATIENCE.ms = 4 * patienceMs;
  for (const fault of again) {
    const found = await runWith(scenario, fault, results, reached);
    tell(found);
    if (!isWrong(found)) continue;
    const { call, index, mode } = fault;
    const { first, next } = found;
    const site = calls.find((made) => made.call === call && made.index === index)?.site;
    const broken = next.outcome !== 'right' ? `, next ${next.outcome}` : '';
    say(
      `  ${first.outcome}${broken}: ${mode} at ${call} #${index} (${site})`,
      first.detail,
      next.detail,
    );
  }
  const { right, typed, untyped, wrong, hang } = counts.outcomes;
  say(
    `${scenario.name}: ${counts.faults} faults: ${right} right, ${typed} typed, ${untyped} untyped, ` +
      `${wrong} wrong, ${hang} hang, ${counts.nextBroken} next job broken; ` +
      `${counts.unfired} never struck; ${again.length} tried again; ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
  return counts;
}

await runCommand(USAGE, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      network: { type: 'string' },
      scenario: { type: 'string' },
      range: { type: 'string' },
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      'patience-ms': { type: 'string', default: '1500' },
    },
  });
  const say = values.json ? () => {} : console.log;
  const options: Options = {
    short: values.short,
    range: values.range === undefined ? null : rangeOf(values.range),
    seed: positiveInteger('--seed', values.seed),
    patienceMs: positiveInteger('--patience-ms', values['patience-ms']),
    say,
  };
  const networks = ['compact', 'a2n'];
  const network = values.network && choice('--network', values.network, networks);
  const wanted = values.scenario?.split(',').map((name) => choice('--scenario', name, NAMES));
  const chosen = SCENARIOS.filter(
    ({ name }) =>
      (!network || name === network || !networks.includes(name)) &&
      (wanted?.includes(name) ?? true),
  );
  setup();
  let unhandled = 0;
  process.on('unhandledRejection', (error) => {
    say('  unhandled rejection:', error);
    unhandled++;
  });
  const reached = new Set<string>();
  const all: Counts[] = [];
  for (const scenario of chosen) all.push(await sweep(scenario, reached, options));
  const sites = gpuCallSites();
  const sum = (of: (counts: Counts) => number) =>
    all.reduce((total, counts) => total + of(counts), 0);
  const unreached = sites.filter((site) => !reached.has(site));
  say(`not reached: ${unreached.join(', ') || 'none'}`);
  const { user, system } = process.cpuUsage();
  say(`${((user + system) / 1e6).toFixed(0)} s of CPU time`);
  const verdict = {
    faults: sum(({ faults }) => faults),
    wrong: sum(({ outcomes }) => outcomes.wrong),
    hang: sum(({ outcomes }) => outcomes.hang),
    untyped: sum(({ outcomes }) => outcomes.untyped) + unhandled,
    nextBroken: sum(({ nextBroken }) => nextBroken),
    sites: sites.length,
    reached: sites.length - unreached.length,
  };
  console.log(JSON.stringify(verdict));
  const { wrong, hang, untyped, nextBroken } = verdict;
  // Abandoned devices can keep the process alive, so it must exit explicitly.
  process.exit(wrong + hang + untyped + nextBroken > 0 ? 1 : 0);
});

/** @throws UsageError */
function rangeOf(text: string): [number, number] {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (to === undefined) throw new UsageError(`--range takes FROM-TO, such as 0-99, not "${text}".`);
  return [Number(from), Number(to)];
}
