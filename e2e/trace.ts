/** Reads the tasks of a page's main thread from a Chromium trace. */
import type { Browser, Page } from 'playwright';

export interface Task {
  /** The task's CPU time in milliseconds, which other work on the machine does not increase. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** The page's scripts that ran in the task, with their functions, the slowest first. */
  readonly scripts: readonly string[];
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** The start time, in microseconds. */
  readonly ts: number;
  readonly dur?: number;
  /** The CPU time, in microseconds. */
  readonly tdur?: number;
  readonly args?: {
    readonly name?: string;
    readonly data?: { readonly url?: string; readonly functionName?: string };
  };
}

const CATEGORIES = ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'v8.execute'];
/** The events that the engine records when a script starts to run. */
const SCRIPTS = ['FunctionCall', 'EvaluateScript', 'v8.evaluateModule'];

/** Records a trace of a page during some work, and returns the tasks of the page's own scripts. */
export async function tasksDuring(
  browser: Browser,
  page: Page,
  site: string,
  work: () => Promise<void>,
): Promise<Task[]> {
  await browser.startTracing(page, { categories: CATEGORIES });
  let trace: Buffer;
  try {
    await work();
  } finally {
    trace = await browser.stopTracing();
  }
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  return tasksOf(traceEvents, site);
}

/**
 * Returns the tasks in which scripts from a site ran on a page's main thread, the longest first.
 */
export function tasksOf(events: readonly TraceEvent[], site: string): Task[] {
  const mains = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const found: Task[] = [];
  for (const main of mains) {
    const own = events.filter(({ pid, tid, ph }) => ph === 'X' && `${pid} ${tid}` === main);
    const scripts = own.filter(
      ({ name, args }) => SCRIPTS.includes(name) && args?.data?.url?.startsWith(site),
    );
    scripts.sort((a, b) => a.ts - b.ts);
    let next = 0;
    const tasks = own.filter(({ name }) => name === 'RunTask').sort((a, b) => a.ts - b.ts);
    for (const { ts, dur = 0, tdur } of tasks) {
      while (next < scripts.length && scripts[next].ts < ts) next++;
      const inside: TraceEvent[] = [];
      for (let i = next; i < scripts.length && scripts[i].ts < ts + dur; i++)
        inside.push(scripts[i]);
      if (inside.length === 0) continue;
      if (tdur === undefined) throw new Error('The trace has no times of the processor.');
      inside.sort((a, b) => (b.tdur ?? 0) - (a.tdur ?? 0));
      found.push({
        cpuMs: tdur / 1000,
        wallMs: dur / 1000,
        scripts: inside.slice(0, 3).map(({ args, tdur: own = 0 }) => {
          const { functionName = '', url = '' } = args?.data ?? {};
          return `${functionName} ${url.slice(site.length)} ${(own / 1000).toFixed(1)} ms`;
        }),
      });
    }
  }
  return found.sort((a, b) => b.cpuMs - a.cpuMs);
}
