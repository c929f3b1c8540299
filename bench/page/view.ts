/** The page for visitors: the form, the progress, Cancel and the results. */
import { copies } from '../../demo/docs/copy.ts';
import type { Ceiling } from '../ceiling.ts';
import type { EngineId, OnProgress, Row } from '../contender.ts';
import type { BenchRequest } from '../session.ts';
import { nameOf, noteOf, shareBars, showBars, showTable, summaryOf, timeBars } from './chart.ts';
import { report } from './report.ts';

export interface Outcome {
  readonly rows: Row[];
  readonly ceiling: Ceiling;
  readonly adapter: string;
}

export interface Watcher {
  readonly signal?: AbortSignal;
  readonly onStage?: (what: string) => unknown;
  readonly onProgress?: OnProgress;
}

/** A stage with names in place of the ids of engines. */
const inWords = (what: string): string =>
  what.replace(/crispen-\w+/, (engine) => nameOf({ engine: engine as EngineId }).toLowerCase());

const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** @param describeAdapter its names; null if there is none */
export function startView(
  measure: (request: BenchRequest, watcher: Watcher) => Promise<Outcome>,
  describeAdapter: () => Promise<{ name: string; isSoftware: boolean } | null>,
): void {
  const [status, working, results] = ['status', 'working', 'results'].map((id) => find(id));
  const [start, cancel] = ['start', 'cancel'].map((id) => find<HTMLButtonElement>(id));
  const size = find<HTMLSelectElement>('size');
  const repeats = find<HTMLInputElement>('repeats');
  let job: AbortController | null = null;

  const showJob = (isWorking: boolean) => {
    working.hidden = !isWorking;
    for (const control of [size, repeats, start]) control.disabled = isWorking;
  };
  const progress: OnProgress = (done) => {
    const percent = Math.floor(done * 100);
    const bar = find('progress');
    bar.style.setProperty('--fraction', String(done));
    bar.setAttribute('aria-valuenow', String(percent));
    find('percent').textContent = `${percent} %`;
  };

  find<HTMLFormElement>('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const mine = new AbortController();
    job = mine;
    showJob(true);
    progress(0);
    cancel.focus();
    const [width, height] = size.value.split('x').map(Number);
    const request = {
      engines: ['crispen-fused', 'crispen-unfused', 'crispen-f16'],
      sizes: [[width, height]],
      repeats: repeats.valueAsNumber,
      scale: 2,
    } as const;
    try {
      const outcome = await measure(request, {
        signal: mine.signal,
        onStage(what) {
          if (job === mine) status.textContent = `Measuring ${inWords(what)}…`;
        },
        onProgress(done) {
          if (job === mine) progress(done);
        },
      });
      status.textContent = 'Done.';
      show(outcome, request.repeats);
    } catch (error) {
      if (mine.signal.aborted) status.textContent = 'Cancelled.';
      else status.textContent = error instanceof Error ? error.message : String(error);
    }
    job = null;
    showJob(false);
    if (results.hidden) start.focus();
    else results.focus();
  });
  cancel.addEventListener('click', () => job?.abort());
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') job?.abort();
  });
  // What scrolls can be scrolled with the keyboard.
  for (const area of document.querySelectorAll<HTMLElement>('.scroll')) area.tabIndex = 0;
  results.tabIndex = -1;
  copies(find<HTMLButtonElement>('copy'), find('report'));

  function show({ rows, ceiling, adapter }: Outcome, count: number): void {
    const { userAgent, hardwareConcurrency: cores } = navigator;
    find('summary').textContent = summaryOf(rows);
    find('shares-note').textContent = noteOf(ceiling);
    showBars(find('times'), timeBars(rows));
    showBars(find('shares'), shareBars(rows));
    showTable(find<HTMLTableElement>('table'), rows);
    const machine = { userAgent, cores, adapter };
    find('report').textContent = report(rows, ceiling, machine, count, new Date());
    results.hidden = false;
  }

  async function greet(): Promise<void> {
    const adapter = await describeAdapter();
    start.disabled = adapter === null || job !== null;
    if (!adapter) {
      status.textContent = 'This browser offers no WebGPU adapter, so there is nothing to measure.';
      return;
    }
    status.textContent ||= 'Ready.';
    find('adapter').textContent = adapter.isSoftware
      ? `GPU: ${adapter.name}. This is a software renderer, which takes minutes.`
      : `GPU: ${adapter.name}`;
    if (adapter.isSoftware) size.value = '64x64';
  }
  void greet();
}
