import type { Rect, Size } from '../src/geometry.ts';
import type { AddedTask, Detection, Task, Upscaler } from '../src/index.ts';
import { Drawings } from './drawings.ts';
import { attempt, type JobParts, type Outcome, resultKey } from './job.ts';
import { choicesFor, choose, firstScale, type ModelOption, type Offer } from './models.ts';
import { factorOf, type Wish } from './sizes.ts';
import {
  type Item,
  type Phase,
  type Picture,
  type Settings,
  type State,
  selectedOf,
  sourceSizeOf,
  type Trouble,
  type Way,
} from './state.ts';
import { t } from './texts/texts.ts';
import { trouble, troubleOf } from './texts/trouble.ts';

export interface SessionParts {
  readonly upscaler: Pick<Upscaler, 'detect' | 'upscale' | 'estimateCpu'>;
  readonly models: readonly Offer[];
  /** Decodes a file for drawing. */
  readonly draw: (file: Blob) => Promise<ImageBitmap>;
  /** Whether the page can ask the visitor for a file to write to. */
  readonly canPickFile: boolean;
  /** Called when a picture has been removed permanently. */
  readonly release: (picture: Picture) => void;
  readonly onChange: (state: State) => void;
}

interface Job {
  readonly id: string;
  readonly controller: AbortController;
}

/**
 * Resets the visitor's answer, because each long job needs its own estimate. The choice of a plain
 * resize is kept.
 */
const askAgain = ({ way }: Item): Pick<Item, 'way'> => ({ way: way === 'network' ? null : way });

/** Like `askAgain`, but a very large result must be confirmed again too. */
const startAnew = (item: Item): Partial<Item> => ({ ...askAgain(item), confirmed: false });

/**
 * Manages the queue of pictures and its jobs, which run one at a time. The selected picture runs
 * next, and then the others in order. A result stays visible until the picture's next result
 * succeeds. Each result is kept together with the settings that produced it. Reports from a job
 * that has already ended are ignored.
 */
export class Session {
  #state: State;
  readonly #parts: SessionParts;
  readonly #jobParts: JobParts;
  readonly #drawings: Drawings;
  #job: Job | null = null;
  /**
   * The picture that the visitor is waiting for, and the file to write its result to, if there is
   * one.
   */
  #urgent: { readonly id: string; readonly to: FileSystemFileHandle | null } | null = null;
  /** The prefix for ids that this visit creates. It differs from the prefixes of earlier visits. */
  readonly #visit = Date.now().toString(36);
  #ids = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { upscaler, canPickFile, models, draw } = parts;
    const detect = async () => this.#state.detection ?? (await this.detect());
    this.#jobParts = { upscaler, canPickFile, detect };
    this.#drawings = new Drawings(draw);
    const model = choose(models, 'upscale', 2, '');
    this.#state = {
      detection: null,
      items: [],
      selected: null,
      isHome: true,
      settings: { task: 'upscale', size: { scale: 2 }, kind: model.kind, model },
      drawing: null,
      isPaused: false,
      removed: [],
      trouble: null,
    };
  }

  get state(): State {
    return this.#state;
  }

  /** Looks for an adapter before there is any work, so that the page can show it. */
  async detect(): Promise<Detection> {
    const detection = await this.#parts.upscaler.detect();
    this.#update({ detection });
    return detection;
  }

  /** Adds pictures to the end of the queue and selects the first picture that can be shown. */
  add(pictures: readonly Picture[]): void {
    const { settings, items } = this.#state;
    const current = selectedOf(this.#state);
    const added = pictures.map(
      (picture): Item => ({
        id: this.#newId(),
        picture,
        crop: null,
        settings,
        phase: { kind: 'waiting' },
        trouble: null,
        results: [],
        saved: [],
        result: null,
        way: null,
        strength: 1,
        confirmed: false,
      }),
    );
    const first = added.find(({ picture }) => picture.size !== null);
    // An unreadable file does not replace a visible picture.
    const shown = first?.id ?? (current?.picture.size ? current.id : added[0]?.id) ?? null;
    this.forget();
    this.#update({ items: [...items, ...added], trouble: null, isHome: false });
    if (first) this.#urge(first.id);
    this.select(shown);
    this.#next();
  }

  /**
   * Inserts pictures from an earlier visit before the current pictures. Unfinished work continues.
   */
  restore(items: readonly Item[], selected: string | null): void {
    if (items.length === 0) return;
    this.#update({ items: [...items, ...this.#state.items], isHome: false });
    this.select(this.#state.selected ?? selected ?? items[0].id);
    this.#next();
  }

  select(id: string | null): void {
    this.#update({ selected: id, isHome: false });
    const item = selectedOf(this.#state);
    if (item) this.#update({ settings: item.settings });
    void this.#show();
  }

  /** Shows the welcome page, or returns to the pictures. */
  goHome(isHome: boolean): void {
    this.#update({ isHome: isHome || this.#state.items.length === 0 });
  }

  setSize(size: Wish): void {
    const { settings } = this.#state;
    this.#set({ ...settings, size, model: this.#modelAt(settings, size) }, startAnew);
  }

  /** Processes a part of the selected picture. Null means the whole picture. */
  setCrop(crop: Rect | null): void {
    const item = selectedOf(this.#state);
    if (!item) return;
    const source = crop ?? item.picture.size;
    const { settings } = item;
    // For the new part, a requested width or height corresponds to a different factor.
    const made = { ...settings, model: this.#modelAt(settings, settings.size, source) };
    this.#update({ settings: made, trouble: null });
    this.#want(item.id, made, { ...startAnew(item), crop });
    this.#urge(item.id);
    this.#next();
  }

  /**
   * Uses the model of a kind for the task. If the task has no such model, switches to enlarging
   * with that kind.
   */
  setKind(kind: string): void {
    const { size, task } = this.#state.settings;
    const restores = task === 'upscale' ? [] : choicesFor(this.#parts.models, task, 1);
    const model = restores.find((choice) => choice.kind === kind);
    if (model) {
      this.#set({ ...this.#state.settings, model }, askAgain);
      return;
    }
    const wish: Wish = task === 'upscale' ? size : { scale: 2 };
    const settings = { task: 'upscale', size: wish, kind } as const;
    this.#set({ ...settings, model: this.#choose('upscale', wish, kind) }, askAgain);
  }

  setTask(task: Task): void {
    const { kind } = this.#state.settings;
    const size: Wish = { scale: firstScale(task) };
    this.#set({ task, size, kind, model: this.#choose(task, size, kind) }, () => ({
      way: null,
      confirmed: false,
    }));
  }

  /** Uses a model that the visitor added, with the model's own task and scale. */
  useModel(model: ModelOption, task: AddedTask, scale: number): void {
    const { kind } = model;
    this.#set({ task, size: { scale }, kind, model }, startAnew);
  }

  /** Applies the selected picture's settings to all pictures. */
  applyToAll(): void {
    for (const { id } of this.#state.items) this.#want(id, this.#state.settings);
    this.#next();
  }

  /** Restores the settings of the visible result. */
  revert(): void {
    const result = selectedOf(this.#state)?.result;
    if (!result) return;
    const { settings, crop } = result;
    this.#set(settings, (item) => ({ ...askAgain(item), crop }));
  }

  /** Restarts a picture after an error, a cancellation or a warning. */
  restart(id: string | null = this.#state.selected): void {
    this.#begin(id, { confirmed: true });
  }

  /**
   * Restarts the selected picture, whose result is too large to show, and writes the result to a
   * file.
   */
  writeTo(file: FileSystemFileHandle): void {
    this.#begin(this.#state.selected, {}, file);
  }

  /** Continues long jobs. The visitor's answer applies to every picture that is waiting for it. */
  runWith(way: Way): void {
    const { selected } = this.#state;
    for (const { id, phase } of this.#state.items) {
      if (phase.kind === 'choose') this.#change(id, { way, phase: { kind: 'waiting' } });
    }
    this.#begin(selected, { way });
  }

  /** Cancels a picture's job, or removes it from the waiting pictures. */
  cancel(id: string | null = this.#state.selected): void {
    const item = this.#find(id);
    if (item?.phase.kind !== 'working' && item?.phase.kind !== 'waiting') return;
    this.#endJob(item.id);
    this.#change(item.id, { phase: { kind: 'cancelled' }, ...askAgain(item) });
    this.#next();
  }

  cancelAll(): void {
    for (const { id, phase } of this.#state.items) {
      if (phase.kind === 'waiting') this.#change(id, { phase: { kind: 'cancelled' } });
    }
    this.cancel(this.#job?.id ?? null);
  }

  /** Restarts failed and cancelled pictures. */
  retryAll(): void {
    for (const { id, phase } of this.#state.items) {
      if (phase.kind !== 'failed' && phase.kind !== 'cancelled') continue;
      this.#change(id, { phase: { kind: 'waiting' }, trouble: null });
    }
    this.#next();
  }

  /** Pauses or resumes starting further pictures. */
  pause(isPaused: boolean): void {
    this.#update({ isPaused });
    this.#next();
  }

  /** Moves a picture to another position in the queue. */
  move(id: string, place: number): void {
    const item = this.#find(id);
    if (!item) return;
    const others = this.#state.items.filter((other) => other !== item);
    this.#update({ items: others.toSpliced(Math.max(0, place), 0, item) });
  }

  /** Removes pictures from the queue. `undo` restores them until others are added or removed. */
  remove(ids: readonly string[]): void {
    for (const id of ids) this.#endJob(id);
    this.forget();
    const { items, selected } = this.#state;
    const isGone = ({ id }: Item) => ids.includes(id);
    const removed = items.filter(isGone).map((item) => {
      const isUnfinished = item.phase.kind === 'working';
      return isUnfinished ? { ...item, phase: { kind: 'waiting' } as const } : item;
    });
    const left = items.filter((item) => !isGone(item));
    const place = items.findIndex(({ id }) => id === selected);
    const next = left.find((item) => items.indexOf(item) > place) ?? left.at(-1);
    this.#update({ items: left, removed, isHome: left.length === 0 });
    if (selected !== null && ids.includes(selected)) this.select(next?.id ?? null);
    this.goHome(false);
    this.#next();
  }

  undo(): void {
    const { items, removed } = this.#state;
    this.#update({ items: [...items, ...removed], removed: [] });
    this.select(removed[0]?.id ?? this.#state.selected);
    this.#next();
  }

  /**
   * Blends the selected picture's result with a plain resize. This does not run the network again.
   */
  setStrength(strength: number): void {
    const item = selectedOf(this.#state);
    if (!item) return;
    const saved = item.saved.filter((key) => key !== item.result?.key);
    this.#change(item.id, { strength, saved });
  }

  /** Marks a result as saved. */
  markSaved(id: string, key: string): void {
    const item = this.#find(id);
    if (item && !item.saved.includes(key)) this.#change(id, { saved: [...item.saved, key] });
  }

  /**
   * Reports a problem outside a job, such as a file that could not be saved. No picture is lost.
   */
  report(trouble: Trouble | null): void {
    this.#update({ trouble });
  }

  /** Frees the removed pictures, which can then no longer be restored. */
  forget(): void {
    const { removed } = this.#state;
    if (removed.length === 0) return;
    this.#drawings.drop(removed.flatMap(({ results }) => results));
    for (const { picture } of removed) this.#parts.release(picture);
    this.#update({ removed: [] });
  }

  #newId(): string {
    this.#ids += 1;
    return `${this.#visit}-${this.#ids}`;
  }

  #find(id: string | null): Item | undefined {
    return this.#state.items.find((item) => item.id === id);
  }

  #update(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    this.#parts.onChange(this.#state);
    this.#drawings.trim(this.#state.drawing?.result ?? null);
  }

  #change(id: string, change: Partial<Item>): void {
    const items = this.#state.items.map((item) => (item.id === id ? { ...item, ...change } : item));
    this.#update({ items });
  }

  #source(): Size | null {
    const item = selectedOf(this.#state);
    return item && sourceSizeOf(item);
  }

  #choose(task: Task, size: Wish, kind: string, source = this.#source()): ModelOption {
    const factor = factorOf(size, source) ?? 2;
    return choose(this.#parts.models, task, factor, kind);
  }

  /**
   * Returns the model for another size. A restoration model stays selected, because it runs before
   * any enlargement.
   */
  #modelAt({ task, kind, model }: Settings, size: Wish, source = this.#source()): ModelOption {
    const isAdded = model.kind === model.id;
    return task !== 'upscale' || isAdded ? model : this.#choose('upscale', size, kind, source);
  }

  /** Applies new settings, both to the selected picture and to pictures that have not started. */
  #set(settings: Settings, also: (item: Item) => Partial<Item>): void {
    this.#update({ settings, trouble: null });
    const item = selectedOf(this.#state);
    for (const { id, phase, result } of this.#state.items) {
      const hasBegun = phase.kind !== 'waiting' || result !== null;
      if (id !== item?.id && !hasBegun) this.#change(id, { settings });
    }
    if (item) this.#want(item.id, settings, also(item));
    if (item) this.#urge(item.id);
    this.#next();
  }

  /**
   * Requests a picture's result with the given settings. A kept result is used immediately.
   * Otherwise the picture waits for its turn.
   */
  #want(id: string, settings: Settings, also: Partial<Item> = {}): void {
    const item = this.#find(id);
    if (!item) return;
    const { way, crop } = { ...item, ...also };
    const key = resultKey(settings, way, crop);
    const result = item.results.find((made) => made.key === key);
    const isSame = key === resultKey(item.settings, item.way, item.crop);
    if (!result && isSame && item.phase.kind === 'working') return;
    this.#endJob(id);
    const phase: Phase = result ? { kind: 'done' } : { kind: 'waiting' };
    this.#change(id, { ...also, settings, phase, trouble: null, ...(result && { result }) });
    if (id === this.#state.selected) void this.#show();
  }

  #begin(id: string | null, change: Partial<Item>, to: FileSystemFileHandle | null = null): void {
    if (id === null) return;
    this.#endJob(id);
    this.#update({ trouble: null });
    this.#change(id, { ...change, phase: { kind: 'waiting' }, trouble: null });
    this.#urge(id, to);
    this.#next();
  }

  #urge(id: string, to: FileSystemFileHandle | null = null): void {
    this.#urgent = { id, to };
  }

  #endJob(id: string): void {
    if (this.#job?.id !== id) return;
    this.#job.controller.abort();
    this.#job = null;
  }

  /** Starts the next job if no job is running. */
  #next(): void {
    if (this.#job) return;
    const { items, isPaused } = this.#state;
    const waits = ({ phase }: Item) => phase.kind === 'waiting';
    const urgent = items.find((item) => item.id === this.#urgent?.id && waits(item));
    const to = urgent ? (this.#urgent?.to ?? null) : null;
    this.#urgent = null;
    const item = urgent ?? (isPaused ? undefined : items.find(waits));
    if (item) void this.#run(item, to);
  }

  async #run(item: Item, to: FileSystemFileHandle | null): Promise<void> {
    const { id } = item;
    const job: Job = { id, controller: new AbortController() };
    this.#job = job;
    const work = (progress: Partial<Phase & { kind: 'working' }> = {}): void =>
      this.#change(id, {
        phase: {
          kind: 'working',
          stage: null,
          fraction: 0,
          remainingMs: null,
          ...progress,
        },
      });
    work();
    const { signal } = job.controller;
    const isOver = () => this.#job !== job;
    try {
      const outcome = await attempt(this.#jobParts, item, to, signal, (progress) => {
        if (!isOver()) work(progress);
      });
      // The result is decoded in advance, so the picture appears as soon as the job is done.
      if (!isOver() && 'key' in outcome && id === this.#state.selected) {
        await this.#drawings.get(outcome);
      }
      if (isOver()) {
        if ('key' in outcome) this.#drawings.drop([outcome]);
        return;
      }
      this.#job = null;
      this.#finish(id, outcome);
    } catch (error) {
      if (isOver()) return;
      this.#job = null;
      this.#fail(item, troubleOf(error));
    }
    this.#next();
  }

  #finish(id: string, outcome: Outcome): void {
    if (!('key' in outcome)) {
      this.#change(id, { phase: outcome });
      return;
    }
    const item = this.#find(id);
    const others = item?.results.filter(({ key }) => key !== outcome.key) ?? [];
    // A result that has been written to a file counts as saved.
    const saved = (item?.saved ?? []).filter((key) => key !== outcome.key);
    this.#change(id, {
      phase: { kind: 'done' },
      results: [...others, outcome],
      result: outcome,
      saved: outcome.file === null ? [...saved, outcome.key] : saved,
    });
    if (id === this.#state.selected) void this.#show();
  }

  #fail({ id, picture }: Item, trouble: Trouble): void {
    this.#change(id, { phase: { kind: 'failed' }, trouble });
    if (id === this.#state.selected) return;
    this.report({ ...trouble, message: `${picture.name}: ${trouble.message}` });
  }

  /** Shows the selected picture's result. If its bitmap is in memory, this happens immediately. */
  async #show(): Promise<void> {
    const result = selectedOf(this.#state)?.result ?? null;
    const shown = this.#state.drawing;
    if (result === null || result === shown?.result) {
      if (result === null && shown !== null) this.#update({ drawing: null });
      return;
    }
    const image = this.#drawings.peek(result);
    this.#update({ drawing: image && { result, image } });
    if (image) return;
    try {
      const drawn = await this.#drawings.get(result);
      if (selectedOf(this.#state)?.result === result) {
        this.#update({ drawing: { result, image: drawn } });
      }
    } catch {
      this.report(trouble(t.trouble.noShow));
    }
  }
}
