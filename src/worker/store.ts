import { CrispenError } from '../errors.ts';
import type { AddedModel } from './protocol.ts';

/** The part of OPFS that is used, as in workers. Tests pass their own. */
export interface Folder {
  getDirectoryHandle(name: string, options: { create: true }): Promise<Folder>;
  getFileHandle(name: string, options?: { create: boolean }): Promise<FileHandle>;
  removeEntry(name: string): Promise<void>;
  keys(): AsyncIterable<string>;
}

interface FileHandle {
  getFile(): Promise<Blob>;
  createSyncAccessHandle(): Promise<{
    truncate(size: number): void;
    write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
    flush(): void;
    close(): void;
  }>;
}

const FOLDER = 'crispen-models';
const FACTS = '.json';
const WEIGHTS = '.weights';

/**
 * The added models: weight files as they were given, in the origin private file system, each next
 * to the facts about it. If there is no such file system (insecure contexts, some private windows)
 * or it is full, a model stays in memory until the worker ends, and its `kept` is false.
 */
export class ModelStore {
  readonly #open: () => Promise<Folder | null>;
  readonly #inMemory = new Map<string, { facts: AddedModel; bytes: Uint8Array<ArrayBuffer> }>();

  constructor(root: () => Promise<Folder>) {
    let folder: Promise<Folder | null> | null = null;
    this.#open = () => {
      folder ??= root()
        .then((top) => top.getDirectoryHandle(FOLDER, { create: true }))
        .catch(() => null);
      return folder;
    };
  }

  /** All models, the oldest first. Damaged or half-written entries are skipped. */
  async list(): Promise<AddedModel[]> {
    const models = [...this.#inMemory.values()].map(({ facts }) => facts);
    const folder = await this.#open();
    if (folder) {
      for await (const name of folder.keys()) {
        if (!name.endsWith(FACTS)) continue;
        const facts = await readFacts(folder, name);
        if (facts) models.push(facts);
      }
    }
    return models.sort((a, b) => a.added - b.added);
  }

  /** @throws CrispenError `MODEL_UNKNOWN` */
  async find(id: string): Promise<AddedModel> {
    const kept = this.#inMemory.get(id)?.facts;
    const folder = kept ? null : await this.#open();
    const facts = kept ?? (folder && (await readFacts(folder, id + FACTS)));
    if (facts) return facts;
    throw new CrispenError('MODEL_UNKNOWN', `There is no added model "${id}".`, {
      hint: 'It may have been removed, or the browser may have cleared its storage. Add it again.',
    });
  }

  /** The original weight file. @throws CrispenError `MODEL_UNKNOWN` */
  async read(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const { bytes: size } = await this.find(id);
    const inMemory = this.#inMemory.get(id);
    if (inMemory) return inMemory.bytes;
    const folder = (await this.#open()) as Folder;
    const file = await (await folder.getFileHandle(id + WEIGHTS)).getFile();
    if (file.size !== size) {
      throw new CrispenError('MODEL_CORRUPT', `The stored file of "${id}" is damaged.`, {
        hint: 'Remove the model and add it again.',
      });
    }
    return new Uint8Array(await file.arrayBuffer());
  }

  /** Stores a model. The result says whether it will outlast this page. */
  async write(facts: AddedModel, bytes: Uint8Array<ArrayBuffer>): Promise<AddedModel> {
    const kept = { ...facts, kept: true };
    const folder = await this.#open();
    if (folder) {
      try {
        await writeFile(folder, facts.id + WEIGHTS, bytes);
        // The facts are written last. An entry without them does not count.
        await writeFile(folder, facts.id + FACTS, new TextEncoder().encode(JSON.stringify(kept)));
        this.#inMemory.delete(facts.id);
        return kept;
      } catch (error) {
        console.warn(`Crispen: the model ${facts.id} is not kept:`, error);
        await this.remove(facts.id);
      }
    }
    const inMemory = { ...facts, kept: false };
    this.#inMemory.set(facts.id, { facts: inMemory, bytes });
    return inMemory;
  }

  /** No effect for an unknown id. */
  async remove(id: string): Promise<void> {
    this.#inMemory.delete(id);
    const folder = await this.#open();
    for (const name of [id + FACTS, id + WEIGHTS]) await folder?.removeEntry(name).catch(() => {});
  }
}

/** Those of version 0.1 have no task. */
type Facts = Omit<AddedModel, 'task'> & Partial<Pick<AddedModel, 'task'>>;

async function readFacts(folder: Folder, name: string): Promise<AddedModel | null> {
  try {
    const file = await (await folder.getFileHandle(name)).getFile();
    const { task, ...facts }: Facts = JSON.parse(await file.text());
    if (facts.id + FACTS !== name) return null;
    return { ...facts, task: task ?? (facts.scale === 1 ? 'restore' : 'upscale') };
  } catch {
    return null;
  }
}

/** Uses a synchronous handle, which every browser with OPFS has in workers. */
async function writeFile(folder: Folder, name: string, bytes: Uint8Array<ArrayBuffer>) {
  const handle = await folder.getFileHandle(name, { create: true });
  const access = await handle.createSyncAccessHandle();
  try {
    access.truncate(0);
    if (access.write(bytes, { at: 0 }) !== bytes.length) throw new Error('the storage is full');
    access.flush();
  } finally {
    access.close();
  }
}
