import type { Rect, Size } from '../src/geometry.ts';
import type { ModelEntry, Task } from '../src/index.ts';
import type { BeforeMode, BeforeSide } from './before.ts';
import { resultTitle } from './before.ts';
import { Compare } from './compare.ts';
import { copyOf, get, onClick, say } from './dom.ts';
import { decibels, dimensions } from './format.ts';
import { cropKey } from './job.ts';
import { type JobActions, JobView } from './job-view.ts';
import { listenForKeys } from './keys.ts';
import { choicesFor, tasksOf, thumbnailOf } from './models.ts';
import { SizeView } from './size-view.ts';
import { factorOf, sizeOf, type Wish, wishKey, wishWords } from './sizes.ts';
import { type Item, type Result, type State, selectedOf, sourceSizeOf } from './state.ts';
import { Strip, type StripActions } from './strip.ts';
import { language, t } from './texts/texts.ts';
import { resultTag, workerWords } from './words.ts';

export interface Actions extends JobActions, StripActions {
  open(files: readonly File[], isFolder: boolean): void;
  openSample(url: string): void;
  setTask(task: Task): void;
  setSize(size: Wish): void;
  setKind(kind: string): void;
  applyToAll(): void;
  undo(): void;
  setStrength(strength: number): void;
  setBefore(mode: BeforeMode): void;
  setReference(file: File): void;
  pin(): void;
  goBack(): void;
  crop(): void;
  uncrop(): void;
}

/** Creates a choice with a title and a description. The description can be empty. */
function card(choice: { name: string; value: string; title: string; text: string }): HTMLElement {
  const label = copyOf('card');
  const { name, value, title, text } = choice;
  Object.assign(label.querySelector('input')!, { name, value });
  label.querySelector('b')!.textContent = title;
  label.querySelector('small')!.textContent = text;
  return label;
}

/**
 * Returns a result's label. Next to another result, the label names the model, because the size can
 * be the same.
 */
const tagOf = (result: Result, { mode }: BeforeSide): string =>
  mode === 'pinned'
    ? resultTitle(result)
    : resultTag(result.backend, wishWords(result.settings.size));

const wholeOf = ({ width, height }: Size): Rect => ({ x: 0, y: 0, width, height });

/** The left side of the comparison, and whether a pinned result and a reference are available. */
type Sides = BeforeSide & { readonly isPinned: boolean; readonly hasReference: boolean };

/** Renders the state. index.html contains all elements, and this class fills and shows them. */
export class PageView {
  readonly #models: readonly ModelEntry[];
  readonly #actions: Actions;
  readonly #compare: Compare;
  readonly #job: JobView;
  readonly #strip: Strip;
  /**
   * The values that the stage currently shows. If only the progress changes, the stage is not
   * updated.
   */
  #shown: readonly unknown[] = [];
  #offered = '';
  /** The language in which the task cards were last created. */
  #tasksIn = '';
  readonly #size: SizeView;

  constructor(models: readonly ModelEntry[], actions: Actions) {
    this.#models = models;
    this.#actions = actions;
    this.#job = new JobView(models, actions);
    this.#strip = new Strip(actions);
    this.#compare = new Compare({
      stage: get('compare'),
      canvas: get<HTMLCanvasElement>('canvas'),
      divider: get('divider'),
      tagBefore: get('tag-before'),
      tagAfter: get('tag-after'),
      zoomIn: get<HTMLButtonElement>('zoom-in'),
      zoomOut: get<HTMLButtonElement>('zoom-out'),
      zoomFit: get<HTMLButtonElement>('zoom-fit'),
      zoomFull: get<HTMLButtonElement>('zoom-full'),
    });
    this.#size = new SizeView(actions.setSize);
    this.#listen();
  }

  /** @param before the left side, with which the result is compared */
  render(state: State, before: Sides): void {
    const focused = document.activeElement;
    const item = state.isHome ? null : selectedOf(state);
    const phase = item?.phase.kind ?? 'empty';
    const isNew = document.body.dataset.phase !== phase;
    document.body.dataset.phase = phase;
    this.#renderStage(state, before);
    this.#renderSettings(state);
    this.#strip.render(state);
    this.#job.render(state);
    const worker = workerWords(state.detection);
    say(get('worker'), worker.text);
    get('worker').classList.toggle('is-slow', worker.slow);
    this.#renderUndo(state);
    // A question to the visitor must be visible.
    if (isNew && phase === 'confirm') get('job').scrollIntoView({ block: 'nearest' });
    // When a focused button disappears (Cancel, a sample), the keyboard focus must not fall back to
    // the page.
    if (focused instanceof HTMLElement && focused !== document.body && !focused.checkVisibility()) {
      get('job').focus({ preventScroll: true });
    }
  }

  #listen(): void {
    const actions = this.#actions;
    for (const [id, openers] of [
      ['file', ['open', 'open-new']],
      ['folder', ['open-folder', 'queue-folder']],
    ] as const) {
      const input = get<HTMLInputElement>(id);
      for (const opener of openers) onClick(opener, () => input.click());
      input.addEventListener('change', () => {
        const files = [...(input.files ?? [])];
        if (files.length > 0) actions.open(files, id === 'folder');
        // If the visitor picks the same file again, this must count as a change.
        input.value = '';
      });
    }
    for (const sample of document.querySelectorAll<HTMLButtonElement>('[data-sample]')) {
      sample.addEventListener('click', () => actions.openSample(sample.dataset.sample ?? ''));
    }
    get('scale').addEventListener('change', ({ target }) => {
      const { name, value } = target as HTMLInputElement;
      if (name === 'scale') actions.setSize({ scale: Number(value) });
    });
    get('task').addEventListener('change', (event) => {
      actions.setTask((event.target as HTMLInputElement).value as Task);
    });
    get('model').addEventListener('change', (event) => {
      actions.setKind((event.target as HTMLInputElement).dataset.kind ?? '');
    });
    const mode = get<HTMLSelectElement>('before-mode');
    mode.addEventListener('change', () => {
      if (mode.value === 'choose') get('reference-file').click();
      else actions.setBefore(mode.value as BeforeMode);
    });
    const reference = get<HTMLInputElement>('reference-file');
    reference.addEventListener('change', () => {
      const [file] = reference.files ?? [];
      if (file) actions.setReference(file);
      reference.value = '';
    });
    // If no file is chosen, the comparison returns to the original as the browser enlarges it.
    reference.addEventListener('cancel', () => actions.setBefore('browser'));
    onClick('pin', actions.pin);
    listenForKeys(this.#compare);
    const strength = get<HTMLInputElement>('strength-percent');
    strength.addEventListener('input', () => actions.setStrength(Number(strength.value) / 100));
    onClick('apply-all', actions.applyToAll);
    onClick('crop', actions.crop);
    onClick('crop-none', actions.uncrop);
    onClick('undo', actions.undo);
    onClick('return', actions.goBack);
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape') actions.cancel();
    });
  }

  /** Creates one card for each task that has a model. */
  #offerTasks(): void {
    const tasks = tasksOf(this.#models);
    if (this.#tasksIn === language) return;
    this.#tasksIn = language;
    get('task').hidden = tasks.length < 2;
    get('task')
      .querySelector('.cards')
      ?.replaceChildren(
        ...tasks.map((task) => card({ name: 'task', value: task, title: t.tasks[task], text: '' })),
      );
  }

  #renderStage(state: State, side: Sides): void {
    const { isHome, items, drawing } = state;
    const item = selectedOf(state);
    const image = item?.picture.image ?? null;
    const isHopeless = image === null && item?.phase.kind === 'failed';
    const isWelcome = isHome || item === null || isHopeless;
    get('welcome').hidden = !isWelcome;
    get('return').hidden = !(isHome && items.length > 0);
    get('unreadable').hidden = isWelcome || image !== null;
    get('compare').hidden = isWelcome || image === null;
    if (item === null || image === null) {
      this.#shown = [];
      this.#compare.show(null);
      return;
    }
    const { picture, settings } = item;
    const result = drawing && drawing.result === item.result ? drawing.result : null;
    const after = result && drawing ? drawing.image : null;
    const made = result?.settings ?? settings;
    const crop = result ? result.crop : item.crop;
    const part = crop ?? wholeOf({ width: image.naturalWidth, height: image.naturalHeight });
    // Until there is a result, the requested size is shown.
    const size = result ?? sizeOf(made.size, part) ?? part;
    this.#renderSides(side, result !== null && result.file !== null);
    const beforeSide = after ? side : null;
    const before = beforeSide?.image ?? image;
    const shown = [
      ...[before, after, size.width, size.height, side.mode, side.tag, side.plain, item.strength],
      ...[cropKey(crop), language],
    ];
    if (shown.every((value, index) => value === this.#shown[index])) return;
    this.#shown = shown;
    this.#compare.show({
      before,
      beforePart: beforeSide?.image ? wholeOf(beforeSide.image) : part,
      isPixels: beforeSide?.mode === 'pixels',
      isDifference: beforeSide?.mode === 'difference',
      after,
      base: side.plain,
      strength: item.strength,
      size: { width: size.width, height: size.height },
      names: [side.name, made.task === 'upscale' ? t.compare.enlarged : t.compare.cleaned],
      tags: [beforeSide?.tag ?? t.page.original, result ? tagOf(result, side) : ''],
    });
    const words = result ? t.compare.both : t.compare.alone;
    get('canvas').setAttribute('aria-label', words(picture.name));
  }

  #renderSides({ mode, isPinned, hasReference, figures }: Sides, isDone: boolean): void {
    get('fact-measured').hidden = !figures;
    if (figures)
      say(get('fact-measured'), t.compare.figures(decibels(figures.psnr), figures.ssim.toFixed(4)));
    get('sides').hidden = !isDone;
    const select = get<HTMLSelectElement>('before-mode');
    get<HTMLOptionElement>('before-pinned').hidden = !isPinned;
    get<HTMLOptionElement>('before-reference').hidden = mode !== 'reference' && !hasReference;
    // While the chosen side is still being computed, the mode is `browser`, but the list keeps the
    // choice.
    if (mode !== 'browser' || select.value === 'pinned') select.value = mode;
    get('pin').setAttribute('aria-pressed', String(isPinned));
  }

  #renderSettings(state: State): void {
    const { settings, items } = state;
    const { task, size, model } = settings;
    const item = state.isHome ? null : selectedOf(state);
    const source = item && sourceSizeOf(item);
    this.#renderCrop(item);
    this.#offerTasks();
    for (const input of get('task').querySelectorAll('input')) input.checked = input.value === task;
    get('same-size').hidden = task === 'upscale';
    for (const input of get('scale').querySelectorAll<HTMLInputElement>('[name=scale]')) {
      const wish = { scale: Number(input.value) };
      input.checked = wishKey(wish) === wishKey(size);
      const made = sizeOf(wish, source);
      say(get(`size-${wish.scale}`), made ? dimensions(made.width, made.height) : '');
    }
    this.#size.render(size, source);
    const choices = choicesFor(this.#models, task, factorOf(size, source) ?? 2);
    get('model').hidden = task !== 'upscale' && choices.length < 2;
    const offered = [language, ...choices.map((choice) => choice.id)].join();
    const container = get('model');
    if (offered !== this.#offered) {
      this.#offered = offered;
      container.querySelector('.cards')?.replaceChildren(
        ...choices.map(({ id, kind, title, text }) => {
          const label = card({ name: 'model', value: id, title, text });
          label.querySelector('input')!.dataset.kind = kind;
          const src = thumbnailOf(kind);
          label.append(Object.assign(new Image(44, 44), { alt: '', loading: 'lazy', src }));
          return label;
        }),
      );
    }
    for (const input of container.querySelectorAll('input'))
      input.checked = input.value === model.id;
    get('model-single').hidden = choices.length > 1;
    const { result, strength } = item ?? {};
    get('strength').hidden = !result?.file || result.preview !== null;
    const percent = Math.round((strength ?? 1) * 100);
    get<HTMLInputElement>('strength-percent').value = String(percent);
    say(get('strength-value'), `${percent} %`);
    get('several').hidden = items.length < 2 || state.isHome;
  }

  #renderCrop(item: Item | null): void {
    const size = item && sourceSizeOf(item);
    get('part').hidden = size === null;
    get('crop-none').hidden = item?.crop == null;
    if (size) say(get('part-size'), t.crop.size(dimensions(size.width, size.height)));
  }

  #renderUndo({ removed }: State): void {
    get('removed').hidden = removed.length === 0;
    const [first, ...others] = removed;
    if (!first) return;
    const words = t.queue;
    const isOne = others.length === 0;
    say(
      get('removed-text'),
      isOne ? words.removed(first.picture.name) : words.removedMany(removed.length),
    );
  }
}
