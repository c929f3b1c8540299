/** The page for visitors: the form, the progress, the Cancel button and the results. */
import { copies } from '../../demo/docs/copy.ts';
import { startLanguage } from '../../demo/texts/language.ts';
import type { Ceiling } from '../ceiling.ts';
import type { OnProgress, Row } from '../contender.ts';
import type { BenchRequest } from '../session.ts';
import { type Stage, stageWords } from '../stage.ts';
import { nameOf, noteOf, shareBars, showBars, showTable, summaryOf, timeBars } from './chart.ts';
import { report } from './report.ts';
import { t, useLanguage } from './texts/texts.ts';

export interface Outcome {
  readonly rows: Row[];
  readonly ceiling: Ceiling;
  readonly adapter: string;
}

export interface Watcher {
  readonly signal?: AbortSignal;
  readonly onStage?: (stage: Stage) => unknown;
  readonly onProgress?: OnProgress;
}

interface Adapter {
  readonly name: string;
  readonly isSoftware: boolean;
}

const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

/** @param describeAdapter returns the adapter's name; null if there is no adapter */
export function startView(
  measure: (request: BenchRequest, watcher: Watcher) => Promise<Outcome>,
  describeAdapter: () => Promise<Adapter | null>,
): void {
  const [status, working, results] = ['status', 'working', 'results'].map((id) => find(id));
  const [start, cancel] = ['start', 'cancel'].map((id) => find<HTMLButtonElement>(id));
  const size = find<HTMLSelectElement>('size');
  const repeats = find<HTMLInputElement>('repeats');
  let job: AbortController | null = null;
  let adapter: Adapter | null = null;
  let shown: { readonly outcome: Outcome; readonly count: number; readonly date: Date } | null =
    null;

  /**
   * Returns the status in the current language. This is a function, so that a change of language
   * updates the status.
   */
  let message = () => '';
  const say = (words: () => string) => {
    message = words;
    status.textContent = message();
  };
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
        onStage(stage) {
          if (job === mine) say(() => t.status.measuring(stageWords(stage, t.stages, nameOf)));
        },
        onProgress(done) {
          if (job === mine) progress(done);
        },
      });
      say(() => t.status.done);
      shown = { outcome, count: request.repeats, date: new Date() };
      renderResults();
      results.hidden = false;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      say(() => (mine.signal.aborted ? t.status.cancelled : t.status.failed(why)));
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
  // Scrollable areas must be accessible with the keyboard.
  for (const area of document.querySelectorAll<HTMLElement>('.scroll')) area.tabIndex = 0;
  results.tabIndex = -1;
  copies(find<HTMLButtonElement>('copy'), find('report'), () => {
    const { copied, selected, page } = t;
    return { copy: page.copy, copied, selected };
  });

  function renderResults(): void {
    if (!shown) return;
    const { rows, ceiling, adapter } = shown.outcome;
    const { userAgent, hardwareConcurrency: cores } = navigator;
    find('summary').textContent = summaryOf(rows);
    find('shares-note').textContent = noteOf(ceiling);
    showBars(find('times'), timeBars(rows, ceiling));
    showBars(find('shares'), shareBars(rows));
    showTable(find<HTMLTableElement>('table'), rows);
    const machine = { userAgent, cores, adapter };
    find('report').textContent = report(rows, ceiling, machine, shown.count, shown.date);
  }

  function renderAdapter(): void {
    if (!adapter) return;
    const words = adapter.isSoftware ? t.softwareAdapter : t.adapter;
    find('adapter').textContent = words(adapter.name);
  }

  async function greet(): Promise<void> {
    adapter = await describeAdapter();
    start.disabled = adapter === null || job !== null;
    if (!adapter) {
      say(() => t.status.noAdapter);
      return;
    }
    if (!message()) say(() => t.status.ready);
    renderAdapter();
    if (adapter.isSoftware) size.value = '64x64';
  }
  void greet();
  void startLanguage(useLanguage, () => {
    say(message);
    renderAdapter();
    renderResults();
  }).finally(() => {
    document.body.dataset.ready = '';
  });
}
