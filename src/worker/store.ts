import { CrispenError } from '../errors.ts';
import { type Digest, sha256Of } from './models.ts';
import type { AddedModel } from './protocol.ts';

/**
 * The methods of the origin private file system (OPFS) that the store uses. Tests pass a fake
 * folder.
 */
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

/** A model's metadata as it is stored. Older entries lack the optional fields. */
interface StoredFacts extends AddedModel {
  /** Whether the file came from a URL. Such a file can be fetched again. */
  readonly fetched?: boolean;
  /** The time of the last use, in milliseconds since 1970. */
  readonly used?: number;
}

/** The maximum total size of files from URLs, in bytes. */
const MAX_FETCHED_BYTES = 2 ** 28;

/**
 * Stores the added models. The original weight files are in the origin private file system, each
 * next to a file that contains its metadata. If this file system is full or unavailable (in
 * insecure contexts and some private windows), a model stays in memory until the worker ends. The
 * field `kept` of such a model is false.
 *
 * If the files from URLs exceed the limit on their total size, or if the storage is full, the least
 * recently used of them are removed. Files that did not come from URLs stay until the user removes
 * them.
 */
export class ModelStore {
  readonly #open: () => Promise<Folder | null>;
  readonly #digest: Digest | undefined;
  readonly #maxFetched: number;
  readonly #inMemory = new Map<string, { facts: AddedModel; bytes: Uint8Array<ArrayBuffer> }>();
  /** The ids of the models that this worker has used and might need again. */
  readonly #inUse = new Set<string>();

  /** @param digest undefined in insecure contexts */
  constructor(root: () => Promise<Folder>, digest?: Digest, maxFetched = MAX_FETCHED_BYTES) {
    this.#digest = digest;
    this.#maxFetched = maxFetched;
    let folder: Promise<Folder | null> | null = null;
    this.#open = () => {
      folder ??= root()
        .then((top) => top.getDirectoryHandle(FOLDER, { create: true }))
        .catch(() => null);
      return folder;
    };
  }

  /** Lists all models, oldest first. Damaged and incomplete entries are skipped. */
  async list(): Promise<AddedModel[]> {
    const folder = await this.#open();
    const models = [...this.#inMemory.values()].map(({ facts }) => facts);
    for (const facts of folder ? await storedFacts(folder) : []) models.push(publicFacts(facts));
    return models.sort((a, b) => a.added - b.added);
  }

  /** @throws CrispenError `MODEL_UNKNOWN` */
  async find(id: string): Promise<AddedModel> {
    const kept = this.#inMemory.get(id)?.facts;
    if (kept) return kept;
    const folder = await this.#open();
    const facts = folder && (await readFacts(folder, id + FACTS));
    if (facts) return publicFacts(facts);
    throw new CrispenError('MODEL_UNKNOWN', `There is no added model "${id}".`, {
      hint: 'It may have been removed, or the browser may have cleared its storage. Add it again.',
    });
  }

  /**
   * Reads the original weight file.
   * @throws CrispenError `MODEL_UNKNOWN`; `MODEL_CORRUPT` if the stored bytes have changed
   */
  async read(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const facts = await this.find(id);
    const inMemory = this.#inMemory.get(id);
    if (inMemory) return inMemory.bytes;
    this.#inUse.add(id);
    const folder = (await this.#open()) as Folder;
    const file = await (await folder.getFileHandle(id + WEIGHTS)).getFile();
    if (file.size !== facts.bytes) throw damaged(id);
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (this.#digest && facts.sha256 !== '') {
      const digest = await sha256Of(this.#digest, bytes);
      if (digest !== facts.sha256) throw damaged(id);
    }
    const stored = await readFacts(folder, id + FACTS);
    // An error is ignored, because another worker might be writing the metadata.
    if (stored) await writeFacts(folder, { ...stored, used: Date.now() }).catch(() => {});
    return bytes;
  }

  /**
   * Stores a model. The field `kept` of the return value says whether the file was stored on disk.
   * @param fetched whether the file came from a URL
   */
  async write(
    facts: AddedModel,
    bytes: Uint8Array<ArrayBuffer>,
    fetched = false,
  ): Promise<AddedModel> {
    const { id } = facts;
    const folder = await this.#open();
    if (folder) {
      const kept = { ...facts, kept: true };
      try {
        if (fetched) await this.#limitFetched(folder, id, bytes.length);
        await this.#makingRoom(folder, id, async () => {
          await writeFile(folder, id + WEIGHTS, bytes);
          // The metadata is written last, because an entry without metadata is ignored.
          await writeFacts(folder, { ...kept, fetched, used: Date.now() });
        });
        this.#inMemory.delete(id);
        this.#inUse.add(id);
        return kept;
      } catch (error) {
        console.warn(`Crispen: the model ${id} is not kept:`, error);
        await this.remove(id);
      }
    }
    const inMemory = { ...facts, kept: false };
    this.#inMemory.set(id, { facts: inMemory, bytes });
    return inMemory;
  }

  /** Removes a model, if there is one with this id. */
  async remove(id: string): Promise<void> {
    this.#inMemory.delete(id);
    this.#inUse.delete(id);
    const folder = await this.#open();
    if (folder) await removeFiles(folder, id);
  }

  /** Removes fetched files until the new file fits within the limit for fetched files. */
  async #limitFetched(folder: Folder, id: string, bytes: number): Promise<void> {
    const fetched = (await storedFacts(folder)).filter((one) => one.fetched && one.id !== id);
    let total = fetched.reduce((sum, one) => sum + one.bytes, bytes);
    for (const old of this.#unused(fetched)) {
      if (total <= this.#maxFetched) return;
      await removeFiles(folder, old.id);
      total -= old.bytes;
    }
    if (total > this.#maxFetched) throw new Error('other models from addresses are in use');
  }

  /**
   * Repeats a write until it succeeds. After each failure, one file is removed to make room: a file
   * that came from a URL and that this worker has not used. If there is no such file, the write's
   * error is thrown.
   */
  async #makingRoom(folder: Folder, id: string, write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        const fetched = (await storedFacts(folder)).filter((one) => one.fetched && one.id !== id);
        const [oldest] = this.#unused(fetched);
        if (!oldest) throw error;
        await removeFiles(folder, oldest.id);
      }
    }
  }

  /**
   * Returns the models that this worker has not used. They are sorted by the time when any worker
   * last used them, oldest first.
   */
  #unused(models: readonly StoredFacts[]): readonly StoredFacts[] {
    const lastUse = ({ used, added }: StoredFacts) => used ?? added;
    return models.filter(({ id }) => !this.#inUse.has(id)).sort((a, b) => lastUse(a) - lastUse(b));
  }
}

function damaged(id: string): CrispenError {
  return new CrispenError('MODEL_CORRUPT', `The stored file of "${id}" is damaged.`, {
    hint: 'Remove the model and add it again.',
  });
}

const publicFacts = ({ fetched: _, used: __, ...facts }: StoredFacts): AddedModel => facts;

async function storedFacts(folder: Folder): Promise<StoredFacts[]> {
  const found: StoredFacts[] = [];
  for await (const name of folder.keys()) {
    if (!name.endsWith(FACTS)) continue;
    const facts = await readFacts(folder, name);
    if (facts) found.push(facts);
  }
  return found;
}

/** Metadata stored by version 0.1 has no task. */
type Facts = Omit<StoredFacts, 'task'> & Partial<Pick<StoredFacts, 'task'>>;

async function readFacts(folder: Folder, name: string): Promise<StoredFacts | null> {
  try {
    const file = await (await folder.getFileHandle(name)).getFile();
    const { task, ...facts }: Facts = JSON.parse(await file.text());
    if (facts.id + FACTS !== name) return null;
    return { ...facts, task: task ?? (facts.scale === 1 ? 'restore' : 'upscale') };
  } catch {
    return null;
  }
}

const writeFacts = (folder: Folder, facts: StoredFacts): Promise<void> =>
  writeFile(folder, facts.id + FACTS, new TextEncoder().encode(JSON.stringify(facts)));

async function removeFiles(folder: Folder, id: string): Promise<void> {
  for (const name of [id + FACTS, id + WEIGHTS]) await folder.removeEntry(name).catch(() => {});
}

/** Writes a file with a synchronous handle, which every browser with OPFS supports in workers. */
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
