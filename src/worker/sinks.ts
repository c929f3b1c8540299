import type { Sink } from '../codecs/sink.ts';
import type { PumpAnswer, PumpRequest, WireTarget } from './protocol.ts';
import type { Folder } from './store.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** @throws platform exceptions, which `save` converts to `WRITE_FAILED` */
export async function openTarget(target: WireTarget): Promise<Sink<null>> {
  if (target instanceof MessagePort) return portSink(target);
  // A file's stream replaces the file's content only when it is closed. After an abort, the file
  // keeps its old content. If the file is then empty, the page removes it, because a file picker has
  // probably just created it.
  const stream = target instanceof WritableStream ? target : await target.createWritable();
  const writer = stream.getWriter();
  return {
    write: (bytes) => writer.write(bytes),
    async close() {
      await writer.close();
      return null;
    },
    abort: (reason) => writer.abort(reason),
  };
}

/** Opens a sink that writes through a port to a stream on the page. */
export function portSink(port: MessagePort): Sink<null> {
  const waiting: ((answer: PumpAnswer) => void)[] = [];
  port.onmessage = ({ data }: MessageEvent<PumpAnswer>) => waiting.shift()?.(data);
  const ask = (request: PumpRequest) =>
    new Promise<void>((resolve, reject) => {
      waiting.push((error) => (error ? reject(error) : resolve()));
      port.postMessage(request);
    });
  return {
    write: (bytes) => ask({ kind: 'write', bytes }),
    async close() {
      await ask({ kind: 'close' });
      return null;
    },
    abort: (reason) => ask({ kind: 'abort', reason: String(reason) }),
  };
}

/** A folder in the origin private file system, and a name for a new file. */
export interface SpillPlace {
  readonly folder: Pick<Folder, 'getFileHandle' | 'removeEntry'>;
  readonly name: string;
}

/** The size of the largest Blob that stays in memory, in bytes. */
const SPILL_BYTES = 2 ** 26;

/**
 * Opens a sink that produces a Blob. If the Blob is larger than 64 MiB, its data is stored in a
 * file in the origin private file system and read on demand. If that file system is unavailable,
 * the browser decides where to store the Blob.
 *
 * @param spill opens the folder and returns it with a name for a new file, or returns null if there
 *   is no folder
 */
export async function blobSink(
  type: string,
  spill: () => Promise<SpillPlace | null>,
  spillBytes = SPILL_BYTES,
): Promise<Sink<Blob>> {
  let parts: BlobPart[] = [];
  /** The number of bytes in `parts` that have not been combined into a Blob yet. */
  let loose = 0;
  let size = 0;
  let isOpen = true;
  let disk: Awaited<ReturnType<typeof openSpill>> = null;

  const write = (bytes: Bytes) => {
    if (disk?.access.write(bytes, { at: size }) !== bytes.length) {
      throw new DOMException('The storage is full.', 'QuotaExceededError');
    }
    size += bytes.length;
  };
  const drop = async () => {
    if (disk && isOpen) disk.access.close();
    isOpen = false;
    await disk?.folder.removeEntry(disk.name);
    disk = null;
  };
  return {
    async write(bytes) {
      if (disk) return write(bytes);
      parts.push(bytes);
      loose += bytes.length;
      if (loose < spillBytes) return;
      loose = 0;
      const whole = new Blob(parts);
      parts = [whole];
      disk = await openSpill(spill);
      if (!disk) return;
      // The stream is piped, because streams in Safari are not iterable.
      await whole.stream().pipeTo(new WritableStream({ write }));
      parts = [];
    },
    async close() {
      if (!disk) return new Blob(parts, { type });
      disk.access.flush();
      disk.access.close();
      isOpen = false;
      return (await disk.file.getFile()).slice(0, size, type);
    },
    abort: drop,
  };
}

async function openSpill(spill: () => Promise<SpillPlace | null>) {
  try {
    const place = await spill();
    if (!place) return null;
    const { folder, name } = place;
    const file = await folder.getFileHandle(name, { create: true });
    return { folder, name, file, access: await file.createSyncAccessHandle() };
  } catch {
    return null;
  }
}

const FOLDER = 'crispen-results';
let spilled = 0;

/**
 * Opens the folder for large results and removes old files from it. The name of each file begins
 * with the name of a lock. The worker that created the file holds this lock until it ends. If
 * nobody holds the lock, the file is removed.
 *
 * @param lifeline the name of this worker's lock, or null if the browser has no locks; without
 *   locks, the folder is not used, because it is unknown which workers have ended
 */
export async function spillFolder(lifeline: string | null): Promise<SpillPlace | null> {
  if (lifeline === null) return null;
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(FOLDER, { create: true });
  const { held = [] } = await navigator.locks.query();
  const living = held.map((lock) => `${lock.name}-`);
  for await (const name of folder.keys()) {
    if (!living.some((prefix) => name.startsWith(prefix))) {
      await folder.removeEntry(name).catch(() => {});
    }
  }
  return { folder: folder as unknown as Folder, name: `${lifeline}-${++spilled}.part` };
}
