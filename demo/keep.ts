import type { Rect } from '../src/geometry.ts';
import { writeFile } from './download.ts';
import { readPicture } from './intake.ts';
import type { Item, Result, Settings, State, Trouble } from './state.ts';
import { t } from './texts/texts.ts';
import { trouble } from './texts/trouble.ts';

/** Pictures and results that were not used for this long are deleted. */
const EXPIRES_MS = 7 * 24 * 3600 * 1000;
const FOLDER = 'crispen-pictures';
const QUEUE = 'queue.json';
const FACTS = '.json';
/** The version of the stored facts. Facts that have another version are ignored. */
const VERSION = 1;

type ResultFacts = Omit<Result, 'file' | 'preview'> & { readonly stored: string };

/** The facts about a picture that are stored in addition to its bytes. */
interface Facts {
  readonly version: number;
  readonly id: string;
  readonly name: string;
  /** This field is missing in facts that earlier releases stored. */
  readonly crop?: Rect | null;
  readonly settings: Settings;
  readonly phase: 'done' | 'failed' | 'cancelled' | 'waiting';
  readonly trouble: Trouble | null;
  readonly results: readonly ResultFacts[];
  /** The visible result's key. */
  readonly result: string | null;
  readonly saved: readonly string[];
  readonly strength: number;
  /** The time of the last change in milliseconds since 1970. */
  readonly touched: number;
}

interface Queue {
  readonly order: readonly string[];
  readonly selected: string | null;
}

export interface Kept {
  readonly items: readonly Item[];
  readonly selected: string | null;
}

/** Returns the results that have a file. */
const keepable = ({ results }: Item) => results.filter(({ file }) => file !== null);

/**
 * Stores the queue and its results in the origin private file system, so that a reload restores
 * them. For each picture, `ID.source` is written first, then its results `ID-N.result`, and finally
 * the facts `ID.json`. Files without facts are incomplete and are removed. Only one tab at a time
 * stores pictures.
 */
export class Keeper {
  readonly #root: () => Promise<FileSystemDirectoryHandle>;
  readonly #now: () => number;
  readonly #onTrouble: (trouble: Trouble) => void;
  #folder: FileSystemDirectoryHandle | null = null;
  #latest: State | null = null;
  #work: Promise<void> = Promise.resolve();
  #isScheduled = false;
  /** The items as they were last written, and their facts. */
  readonly #written = new Map<string, { item: Item; facts: string }>();
  #names = new WeakMap<Result, string>();
  #files = 0;
  #queue = '';

  constructor(parts: {
    root: () => Promise<FileSystemDirectoryHandle>;
    onTrouble: (trouble: Trouble) => void;
    now?: () => number;
  }) {
    this.#root = parts.root;
    this.#onTrouble = parts.onTrouble;
    this.#now = parts.now ?? Date.now;
  }

  get isOn(): boolean {
    return this.#folder !== null;
  }

  /** Returns the stored items. After this call, `update` stores changes. */
  async open(): Promise<Kept> {
    const root = await this.#root();
    const folder = await root.getDirectoryHandle(FOLDER, { create: true });
    const found: Facts[] = [];
    const wanted = new Set([QUEUE]);
    const names = await namesIn(folder);
    for (const name of names) {
      if (!name.endsWith(FACTS) || name === QUEUE) continue;
      const facts = await readJson<Facts>(folder, name);
      const isFresh = facts && this.#now() - facts.touched < EXPIRES_MS;
      if (facts?.version !== VERSION || !isFresh) continue;
      found.push(facts);
      wanted.add(name).add(`${facts.id}.source`);
      for (const { stored } of facts.results) wanted.add(stored);
    }
    for (const name of names) if (!wanted.has(name)) await folder.removeEntry(name);
    this.#files = Math.max(
      0,
      ...names.map((name) => Number(/-(\d+)\.result$/.exec(name)?.[1] ?? 0)),
    );
    const { order = [], selected = null } = (await readJson<Queue>(folder, QUEUE)) ?? {};
    found.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
    const items: Item[] = [];
    for (const facts of found) {
      const item = await this.#read(folder, facts).catch(() => null);
      if (item) items.push(item);
    }
    this.#folder = folder;
    return { items, selected };
  }

  /** Removes all stored files and stops writing. */
  async close(): Promise<void> {
    const folder = this.#folder;
    this.#folder = null;
    await this.#work;
    this.#written.clear();
    this.#names = new WeakMap();
    this.#queue = '';
    if (!folder) return;
    for (const name of await namesIn(folder)) await folder.removeEntry(name);
  }

  /** Writes the changes since the last call, after a short delay. */
  update(state: State): void {
    this.#latest = state;
    if (this.#folder === null || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#work = this.#work.then(async () => {
      this.#isScheduled = false;
      try {
        if (this.#folder && this.#latest) await this.#write(this.#folder, this.#latest);
      } catch {
        this.#folder = null;
        this.#onTrouble(trouble(t.trouble.noRoom));
      }
    });
  }

  async #write(folder: FileSystemDirectoryHandle, state: State): Promise<void> {
    for (const item of state.items) {
      const last = this.#written.get(item.id);
      if (last?.item === item) continue;
      const known = last ? keepable(last.item) : [];
      if (!last) await writeFile(folder, `${item.id}.source`, item.picture.file);
      for (const result of keepable(item)) {
        if (this.#names.has(result)) continue;
        this.#files += 1;
        const name = `${item.id}-${this.#files}.result`;
        await writeFile(folder, name, result.file as Blob);
        this.#names.set(result, name);
      }
      const facts = JSON.stringify(this.#factsOf(item));
      if (facts !== last?.facts) {
        const touched = { ...JSON.parse(facts), touched: this.#now() };
        await writeFile(folder, `${item.id}${FACTS}`, JSON.stringify(touched));
      }
      this.#written.set(item.id, { item, facts });
      for (const result of known) {
        if (!item.results.includes(result)) await this.#drop(folder, result);
      }
    }
    const living = new Set([...state.items, ...state.removed].map(({ id }) => id));
    for (const [id, { item }] of this.#written) {
      if (living.has(id)) continue;
      this.#written.delete(id);
      await folder.removeEntry(`${id}${FACTS}`);
      await folder.removeEntry(`${id}.source`);
      for (const result of keepable(item)) await this.#drop(folder, result);
    }
    const order = state.items.map(({ id }) => id);
    const queue = JSON.stringify({ order, selected: state.selected } satisfies Queue);
    if (queue !== this.#queue) await writeFile(folder, QUEUE, queue);
    this.#queue = queue;
  }

  async #drop(folder: FileSystemDirectoryHandle, result: Result): Promise<void> {
    const name = this.#names.get(result);
    if (name) await folder.removeEntry(name);
  }

  #factsOf(item: Item): Omit<Facts, 'touched'> {
    const { id, picture, crop, settings, phase, trouble, result, saved, strength } = item;
    const isOver = ['done', 'failed', 'cancelled'].includes(phase.kind);
    return {
      version: VERSION,
      id,
      name: picture.name,
      crop,
      settings,
      phase: isOver ? (phase.kind as Facts['phase']) : 'waiting',
      trouble,
      results: keepable(item).map((made) => {
        const { file, preview, ...facts } = made;
        return { ...facts, stored: this.#names.get(made) ?? '' };
      }),
      result: result?.key ?? null,
      saved,
      strength,
    };
  }

  async #read(folder: FileSystemDirectoryHandle, facts: Facts): Promise<Item> {
    const { id, name, crop = null, settings, trouble, saved, strength } = facts;
    const source = await readFile(folder, `${id}.source`);
    const picture = await readPicture(source, name);
    const results: Result[] = [];
    for (const { stored, ...made } of facts.results) {
      const file = await readFile(folder, stored);
      const result = { ...made, crop: made.crop ?? null, file, preview: null };
      results.push(result);
      this.#names.set(result, stored);
    }
    const result = results.find(({ key }) => key === facts.result) ?? null;
    // A result that was written to the visitor's own file is not stored here, so it must be
    // recomputed.
    const isDone = facts.phase === 'done' && result !== null;
    const kind = facts.phase === 'done' && !isDone ? 'waiting' : facts.phase;
    const common = { way: null, strength, confirmed: false, phase: { kind } } as const;
    const item: Item = { id, picture, crop, settings, trouble, saved, results, result, ...common };
    this.#written.set(id, { item, facts: JSON.stringify(this.#factsOf(item)) });
    return item;
  }
}

async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}

async function readFile(folder: FileSystemDirectoryHandle, name: string): Promise<File> {
  return (await folder.getFileHandle(name)).getFile();
}

/** Returns null for a missing or damaged file. */
async function readJson<T>(folder: FileSystemDirectoryHandle, name: string): Promise<T | null> {
  try {
    return JSON.parse(await (await readFile(folder, name)).text());
  } catch {
    return null;
  }
}

/**
 * Returns whether this browser can store pictures and no other tab stores them. If so, only this
 * tab stores pictures from now on.
 */
export async function claimKeeping(): Promise<boolean> {
  const canWrite =
    'FileSystemFileHandle' in globalThis && 'createWritable' in FileSystemFileHandle.prototype;
  if (!canWrite || !navigator.locks || !navigator.storage?.getDirectory) return false;
  return new Promise((resolve) => {
    void navigator.locks.request(FOLDER, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      // The lock is held until the page is closed.
      return lock && new Promise(() => {});
    });
  });
}
