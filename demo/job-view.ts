import type { Metadata } from '../src/index.ts';
import { get, onClick, onFreeClick, say } from './dom.ts';
import { SAVE_FORMATS, type SaveFormat } from './download.ts';
import { dimensions, duration, roughly, timeLeft } from './format.ts';
import { choiceTitle, kindOfSpeed, madeTitle, type Offer, titleOf } from './models.ts';
import { wishWords } from './sizes.ts';
import { type Item, type Result, type State, selectedOf, type Way } from './state.ts';
import type { Language } from './texts/languages.ts';
import { language, t } from './texts/texts.ts';
import { advice, keptWords, madeBy, noAdapterWords, stageWords, workerWords } from './words.ts';

export interface JobActions {
  cancel(): void;
  restart(): void;
  revert(): void;
  writeToFile(): void;
  runWith(way: Way): void;
  setTask(task: 'upscale'): void;
  save(format: SaveFormat, metadata: Metadata): Promise<void>;
  dismiss(): void;
  copy(): Promise<void>;
  share(): Promise<void>;
  dragOut(event: DragEvent): void;
  inspect(): void;
  setKind(kind: string): void;
}

/**
 * Shows the selected picture's job: its progress, its questions, and the result with ways to save
 * it.
 */
export class JobView {
  /** The language in which the advice was last shown. */
  #adviceIn: Language | null = null;

  readonly #models: readonly Offer[];

  constructor(models: readonly Offer[], actions: JobActions) {
    this.#models = models;
    for (const name of ['copy', 'share'] as const) onClick(name, () => void actions[name]());
    // Dragging the button out of the window drags the file.
    get('save-png').addEventListener('dragstart', (event) => actions.dragOut(event));
    onClick('inspect', actions.inspect);
    onClick('make-other', () => actions.setKind(get('make-other').dataset.kind ?? ''));
    onClick('cancel', actions.cancel);
    for (const id of ['again', 'go-on']) onClick(id, actions.restart);
    onClick('revert', actions.revert);
    onClick('write-to', actions.writeToFile);
    onClick('run-cpu', () => actions.runWith('network'));
    onClick('run-lanczos', () => actions.runWith('lanczos'));
    onClick('enlarge-instead', () => actions.setTask('upscale'));
    onClick('dismiss', actions.dismiss);
    const keep = get<HTMLInputElement>('keep-metadata');
    for (const format of SAVE_FORMATS) {
      // Encoding a large picture takes seconds, so the button ignores further clicks meanwhile.
      onFreeClick(get(`save-${format}`), () =>
        actions.save(format, keep.checked ? 'keep' : 'drop'),
      );
    }
  }

  render(state: State): void {
    const item = state.isHome ? null : selectedOf(state);
    const phase = item?.phase ?? null;
    const show = (id: string, visible: boolean) => {
      get(id).hidden = !visible;
    };
    const isWorking = phase?.kind === 'working';
    const isWaiting = phase?.kind === 'waiting';
    const isOver = phase?.kind === 'cancelled' || phase?.kind === 'failed';
    show('working', isWorking || isWaiting);
    show('confirm', phase?.kind === 'confirm');
    show('again', isOver && item?.picture.size != null);
    show('result', item?.result != null);
    show('stale', item?.result != null && phase?.kind !== 'done');

    if (isWorking || isWaiting) {
      const fraction = isWorking ? phase.fraction : 0;
      const percent = Math.floor(fraction * 100);
      const bar = get('progress');
      bar.setAttribute('aria-valuenow', String(percent));
      bar.style.setProperty('--fraction', String(fraction));
      bar.classList.toggle('is-unknown', fraction === 0);
      say(get('percent'), fraction === 0 ? '' : `${percent} %`);
      say(get('remaining'), timeLeft(isWorking ? phase.remainingMs : null));
    }
    if (phase?.kind === 'confirm') {
      say(get('confirm-text'), phase.warning);
      show('go-on', !phase.toFile);
      show('write-to', phase.toFile);
    }
    if (item?.result) this.#renderResult(item, item.result);
    this.#renderTrouble(state, item);
    this.#renderNotice(state, item);
    say(get('status'), statusWords(item, state));
  }

  #renderTrouble(state: State, item: Item | null): void {
    const own = state.isHome && state.items.length > 0 ? null : item?.trouble;
    const trouble = state.trouble ?? own;
    get('error').hidden = !trouble;
    get('dismiss').hidden = state.trouble === null;
    say(get('error-message'), trouble?.message ?? '');
    say(get('error-hint'), trouble?.hint ?? '');
  }

  #renderResult({ phase }: Item, result: Result): void {
    const { settings, passes, preview, file, savedAs, source } = result;
    const isStale = phase.kind !== 'done';
    if (isStale) {
      const size = wishWords(settings.size);
      const what = [...(size ? [size] : []), madeTitle(result)];
      say(get('stale-text'), t.result.stillSee(what.join(t.queue.separator)));
    }
    say(get('fact-from'), dimensions(result.inputWidth, result.inputHeight));
    say(get('fact-to'), dimensions(result.width, result.height));
    // An added model is named after its file, because its id is a hash.
    const { model } = settings;
    const isAdded = model.kind === model.id;
    const names = passes.map((id) =>
      isAdded && id === model.id ? model.title : titleOf(this.#models, id),
    );
    const chain = names.filter((name, i) => name !== names[i - 1]).join(t.result.next);
    const isRepeated = new Set(names).size < names.length;
    say(get('fact-by'), madeBy(result, isRepeated ? t.result.runs(chain, names.length) : chain));
    this.#renderOther(result, isStale);
    const kept = keptWords(source);
    say(get('fact-kept'), kept);
    get('fact-kept').hidden = kept === '';
    get('keep').hidden = !source.hasMetadata || preview !== null;
    // Other formats need the whole image in memory.
    for (const format of SAVE_FORMATS) {
      get(`save-${format}`).hidden = format !== 'png' && preview !== null;
    }
    const reduced = preview ? t.result.reduced : '';
    say(get('fact-saved'), [file ? '' : t.result.savedAs(savedAs), reduced].join(' ').trim());
    get('fact-saved').hidden = file !== null && preview === null;
    get('save').hidden = file === null;
    get('inspect').hidden = passes.length === 0;
    get('fact-tiles').hidden = result.diagnostics.statistics === 'exact';
    get('fact-approximate').hidden = !result.diagnostics.approximate;
  }

  /**
   * After an automatic choice, offers the other model. The offer states how long that model would
   * take, if this is known.
   */
  #renderOther({ diagnostics, backend }: Result, isStale: boolean): void {
    const { auto } = diagnostics;
    const isOffered = auto !== undefined && auto.others.length > 0 && backend !== 'lanczos';
    get('other').hidden = isStale || !isOffered;
    if (!isOffered) return;
    const kind = kindOfSpeed(auto.speed === 'best' ? 'fast' : 'best');
    const title = choiceTitle({ kind, title: auto.others.join(t.result.next) });
    const isSlow = auto.speed === 'fast' && auto.bestMs !== null;
    say(get('other-time'), isSlow ? t.result.wouldTake(title, roughly(auto.bestMs ?? 0)) : '');
    say(get('make-other'), t.result.makeWith(title));
    get('make-other').dataset.kind = kind;
  }

  #renderNotice({ detection, items }: State, item: Item | null): void {
    const isChoosing = item?.phase.kind === 'choose';
    const notice = get('notice');
    notice.hidden = !detection || !(isChoosing || detection.backend === 'none');
    if (!detection || notice.hidden) return;
    const { title, text } = noAdapterWords(detection);
    say(get('notice-title'), title);
    say(get('notice-text'), text);
    const insecure = detection.reason?.code === 'INSECURE_CONTEXT';
    get('notice-advice').hidden = insecure;
    if (!insecure && this.#adviceIn !== language) {
      this.#adviceIn = language;
      get('notice-steps').replaceChildren(...adviceList(navigator.userAgent));
    }
    get('ways').hidden = !isChoosing;
    if (!isChoosing) return;
    const { phase, settings } = item;
    const isPossible = phase.kind === 'choose' && phase.cpuMs !== null;
    // One answer applies to all pictures that are waiting for it.
    const asking = items.flatMap((other) => (other.phase.kind === 'choose' ? [other.phase] : []));
    const sum = asking.reduce((all, { cpuMs }) => all + (cpuMs ?? 0), 0);
    const count = asking.length > 1 ? [t.result.pictures(asking.length)] : [];
    say(get('run-cpu'), t.result.runOnCpu([...count, roughly(sum)].join(t.queue.separator)));
    get('run-cpu').hidden = !isPossible;
    get('too-large').hidden = isPossible;
    // A resize does not restore anything, so it is not offered for restoration. The visitor must
    // always have at least one answer to choose from.
    get('run-lanczos').hidden = settings.task !== 'upscale';
    get('enlarge-instead').hidden = isPossible || settings.task === 'upscale';
  }
}

function adviceList(userAgent: string): HTMLElement[] {
  const element = (name: string, text: string) =>
    Object.assign(document.createElement(name), { textContent: text });
  return advice(userAgent).flatMap(({ browser, steps }) => [
    element('dt', browser),
    ...steps.map((step) => element('dd', step)),
  ]);
}

function statusWords(item: Item | null, { detection, items }: State): string {
  const words = t.status;
  if (item === null) return words.ready;
  const { phase, settings, result } = item;
  switch (phase.kind) {
    case 'waiting':
      return items.some((other) => other.phase.kind === 'working') ? words.behind : words.waiting;
    case 'working': {
      const isSlow = phase.stage === 'upscale' && workerWords(detection).slow;
      const stage = stageWords(phase.stage, settings.task);
      return isSlow ? words.slowly(stage) : words.working(stage);
    }
    case 'done':
      return words.done(duration(result?.diagnostics.milliseconds ?? 0));
    default:
      return words[phase.kind];
  }
}
