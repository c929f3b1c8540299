import { createHash, randomBytes } from 'node:crypto';
import {
  constants,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  rmSync,
  type Stats,
} from 'node:fs';
import {
  access,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { Socket } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isatty } from 'node:tty';
import { type Saved, type Sink, save, writeFailed } from '../codecs/sink.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';

/** The file name that stands for standard input or standard output. */
export const STDIO = '-';

/** The destination of a command's output. */
export interface Output {
  /**
   * A `file` is a regular file, which is created or replaced only when the output is complete. A
   * `place` is a device, or a file that is already open, such as `/dev/fd/3`. It is written to
   * directly. A `pipe` is a named pipe. `stdout` is standard output, given as `-` or as a path.
   */
  readonly kind: 'file' | 'place' | 'pipe' | 'stdout';
  /** The name that the user gave. */
  readonly name: string;
  /** For a `file`, the path after following all links; otherwise the same as `name`. */
  readonly path: string;
}

/**
 * Finds an output's destination and checks that it can be written to, before the time-consuming
 * work begins. Links are followed, even to files that do not exist yet.
 *
 * @param name a path, or `-` for standard output
 * @param input the input, which must not be overwritten: a path or `-`
 * @param options `tries`: whether a file of 4096 bytes is written as a test; default true
 * @throws CrispenError `INVALID_INPUT` for an impossible destination: a folder, a socket, a file in
 *   a missing folder, a name that is too long, standard output if it is a terminal, or the input
 *   itself; `WRITE_FAILED` if permissions or a full disk prevent writing.
 */
export async function findOutput(
  name: string,
  input?: string,
  { tries = true }: { readonly tries?: boolean } = {},
): Promise<Output> {
  if (name === STDIO) return standardOutput(name);
  if (name === '' || name.endsWith('/')) {
    throw unfit(`"${name}" is no name of a file.`, 'Name the file too, not its folder alone.');
  }
  try {
    const found = await statOf(name);
    if (found && isSame(found, descriptor(1))) return standardOutput(name);
    if (found?.isDirectory()) throw unfit(`${name} is a folder.`, 'Name a file in it.');
    if (found?.isSocket()) throw unfit(`${name} is a socket.`);
    if (found && !found.isFile()) {
      await access(name, constants.W_OK);
      return { kind: found.isFIFO() ? 'pipe' : 'place', name, path: name };
    }
    const source = input === undefined ? null : await inputStat(input);
    if (found && source && isSame(found, source)) {
      throw unfit('The output would overwrite the input.');
    }
    const { path, isOpen } = await behindLinks(name);
    if (isOpen) return { kind: 'place', name, path };
    if (tries) await tryWriting(path, found);
    return { kind: 'file', name, path };
  } catch (cause) {
    throw readable(name, cause);
  }
}

function standardOutput(name: string): Output {
  if (isatty(1)) {
    throw unfit('Standard output is a terminal.', 'Send it to a file or to another program.');
  }
  return { kind: 'stdout', name, path: name };
}

/**
 * Opens an output. For a `file`, a new file is first written under a random name in the output's
 * folder, or in the system's temporary folder if a file in a read-only folder is to be replaced.
 * When the new file is complete, it replaces any existing file and takes over its permissions and
 * owner. If this is not possible (for example because the existing file has several hard links,
 * belongs to a different user or is in a read-only folder), only that file's content is replaced.
 *
 * @param signal ends the wait for a pipe's reader
 */
export async function openSink({ kind, path }: Output, signal?: AbortSignal): Promise<Sink<null>> {
  if (kind === 'stdout') return streamSink(process.stdout, false);
  if (kind === 'pipe') return streamSink(await openPipe(path, signal), true);
  if (kind === 'place') {
    const file = await open(path, constants.O_WRONLY | constants.O_TRUNC);
    return {
      write: (bytes) => writeAll(file, bytes),
      close: () => file.close().then(() => null),
      abort: () => file.close(),
    };
  }
  return fileSink(path);
}

/** Writes all bytes to an output. @throws CrispenError `WRITE_FAILED` */
export async function writeOutput(
  output: Output,
  bytes: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<void> {
  await saveWhole(() => openSink(output, signal), bytes);
}

/** Saves a file whose bytes are all in memory. @throws CrispenError like `save` */
export const saveWhole = <T>(
  open: () => Promise<Sink<T>>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Saved<T, void>> =>
  save(open, async (to) => {
    const writer = to.getWriter();
    await writer.write(bytes);
    await writer.close();
  });

type FileHandle = Awaited<ReturnType<typeof open>>;

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function fileSink(path: string): Promise<Sink<null>> {
  const existing = await statOf(path);
  const { file, temporary } = await openTemporary(await scratchFolder(path, existing), existing);
  return {
    write: (bytes) => writeAll(file, bytes),
    async close() {
      const replaces = await takesPlace(file, existing);
      await file.close();
      if (!replaces || !(await moved(temporary, path, existing))) {
        await pipeline(createReadStream(temporary), createWriteStream(path));
        await rm(temporary);
      }
      unfinished.delete(temporary);
      return null;
    },
    async abort() {
      await file.close().catch(() => {});
      await discard(temporary);
    },
  };
}

/**
 * Sets the permissions and the owner of the new file. Returns whether the new file can replace the
 * old one without any visible difference apart from the content.
 */
async function takesPlace(file: FileHandle, existing: Stats | null): Promise<boolean> {
  if (!existing) return true;
  if (existing.nlink > 1) return false;
  try {
    const { uid, gid } = await file.stat();
    // On Windows, all ids are 0, so `chown` is not called.
    if (uid !== existing.uid || gid !== existing.gid) await file.chown(existing.uid, existing.gid);
    await file.chmod(existing.mode & 0o777);
    return true;
  } catch {
    return false;
  }
}

/**
 * Moves a file. Returns false if the existing file cannot be replaced, for example because it is a
 * mount point or is in a sticky folder. Replacing its content might still be possible.
 */
async function moved(from: string, to: string, existing: Stats | null): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (existing) return false;
    throw error;
  }
}

/**
 * Identifies this machine in the names of temporary files, because several machines can write to
 * the same folder.
 */
export const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 6);
const TEMPORARY = /^\.crispen-([0-9a-f]{6})-(\d+)-[0-9a-f]{24}\.tmp$/;

/**
 * The age in milliseconds after which another machine's temporary file is removed. If the file has
 * not changed for a day, its process has probably ended.
 */
const STALE_MS = 24 * 3600 * 1000;

/**
 * Removes temporary files that processes left in a folder when they ended, for example after
 * `kill -9`. Files of processes that are still running on this machine are kept. Files from other
 * machines are kept until they are a day old.
 */
export async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, host, pid] = TEMPORARY.exec(name) ?? [];
    const path = join(folder, name);
    if (host === undefined || unfinished.has(path)) continue;
    const isUsed = host === HOST ? isAlive(Number(pid)) : await isRecent(path);
    if (!isUsed) await rm(path, { force: true });
  }
}

async function isRecent(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs < STALE_MS;
}

/** Returns whether `pid` is the id of a running process other than this one. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The paths of the temporary files that this process still uses. */
const unfinished = new Set<string>();

/** Removes incomplete files. It does so synchronously, because the process is about to end. */
export function removeUnfinished(): void {
  for (const path of unfinished) rmSync(path, { force: true });
  unfinished.clear();
}
process.on('exit', removeUnfinished);

/**
 * Creates a file with an unguessable name, so that nobody can create a link with this name in
 * advance. The name is short and does not contain the output's name, because the output's name
 * might already have the maximum length.
 */
async function openTemporary(
  folder: string,
  existing: Stats | null,
): Promise<{ file: FileHandle; temporary: string }> {
  const random = randomBytes(12).toString('hex');
  const temporary = join(folder, `.crispen-${HOST}-${process.pid}-${random}.tmp`);
  unfinished.add(temporary);
  try {
    // The temporary file must be at least as private as the existing file.
    return { file: await open(temporary, 'wx', existing ? 0o600 : 0o666), temporary };
  } catch (error) {
    unfinished.delete(temporary);
    throw error;
  }
}

async function discard(temporary: string): Promise<void> {
  await rm(temporary, { force: true });
  unfinished.delete(temporary);
}

/**
 * Creates a folder and its parent folders if they do not exist.
 * @throws CrispenError `WRITE_FAILED`, or `INVALID_INPUT` if there is a file at this path
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    if (!['EEXIST', 'ENOTDIR'].includes(codeOf(cause))) throw readable(path, cause);
    throw unfit(`${path} cannot be a folder: there is a file.`, 'Name another folder.');
  }
}

/**
 * Returns the folder for the temporary file. This is the output's folder, or the system's temporary
 * folder if a file in a read-only folder is to be replaced.
 */
async function scratchFolder(path: string, existing: Stats | null): Promise<string> {
  if (!existing) return dirname(path);
  try {
    await access(dirname(path), constants.W_OK);
    return dirname(path);
  } catch {
    return tmpdir();
  }
}

/**
 * Checks that an output can be written. If the file exists, it is opened for writing. A test file
 * of 4096 bytes is also written, because only this detects exceeded quotas and full disks.
 */
async function tryWriting(path: string, existing: Stats | null): Promise<void> {
  if (existing) await (await open(path, constants.O_WRONLY)).close();
  const { file, temporary } = await openTemporary(await scratchFolder(path, existing), existing);
  try {
    await writeAll(file, new Uint8Array(4096));
  } finally {
    await file.close();
    await discard(temporary);
  }
}

/** Waits until a pipe has a reader, and opens the pipe for writing. `signal` can end the wait. */
async function openPipe(path: string, signal?: AbortSignal): Promise<Writable> {
  for (;;) {
    throwIfAborted(signal);
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new Socket({ fd, readable: false, writable: true });
    } catch (error) {
      if (codeOf(error) !== 'ENXIO') throw error;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

function streamSink(stream: Writable, isOurs: boolean): Sink<null> {
  // Errors are ignored here, because each write also reports them. Without a listener, they would
  // end the process.
  stream.on('error', () => {});
  return {
    write: (bytes) =>
      new Promise((done, fail) => stream.write(bytes, (error) => (error ? fail(error) : done()))),
    async close() {
      if (isOurs) await new Promise<void>((done) => stream.end(done));
      return null;
    },
    async abort() {
      if (isOurs) stream.destroy();
    },
  };
}

/**
 * The maximum number of links to follow. A longer chain is treated as a cycle. Linux has the same
 * limit.
 */
const MAX_LINKS = 40;

/**
 * Returns the path after following all links, even if the file does not exist yet. `isOpen` means
 * that the path names an open file by its number, as `/dev/fd/3` does. Such a path is not resolved
 * further, because an open file might no longer have a name.
 */
async function behindLinks(name: string): Promise<{ path: string; isOpen: boolean }> {
  let path = resolve(name);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const folder = await realpath(dirname(path));
    if (/^\/proc\/.*\/fd$/.test(folder)) return { path: name, isOpen: true };
    path = join(folder, basename(path));
    const target = await readlink(path).catch((error) => {
      // The path is not a link, or it does not exist.
      if (codeOf(error) === 'EINVAL' || codeOf(error) === 'ENOENT') return null;
      throw error;
    });
    if (target === null) return { path, isOpen: false };
    path = resolve(folder, target);
  }
  throw unfit(`${name} is a link that leads back to itself.`);
}

/** Returns a path's stats, or null if the path does not exist. */
async function statOf(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/**
 * Returns the input's stats, or null if they cannot be determined. In that case, reading the input
 * reports the error later.
 */
async function inputStat(input: string): Promise<Stats | null> {
  return input === STDIO ? descriptor(0) : stat(input).catch(() => null);
}

function descriptor(number: number): Stats | null {
  try {
    return fstatSync(number);
  } catch {
    return null;
  }
}

const isSame = (one: Stats, other: Stats | null): boolean =>
  one.dev === other?.dev && one.ino === other.ino;

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code);

const unfit = (message: string, hint = 'Give the output another name.'): CrispenError =>
  new CrispenError('INVALID_INPUT', message, { hint });

/**
 * Converts a system error to a `CrispenError`. If the error shows that the path `name` is wrong,
 * the message says what is wrong with it. Other system errors become `WRITE_FAILED`.
 */
function readable(name: string, cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return unfit(`The folder of ${name} does not exist.`, 'Make it first, or choose another.');
  }
  if (code === 'ENAMETOOLONG') return unfit(`The name ${name} is too long.`);
  if (code === 'ELOOP') return unfit(`${name} is a link that leads back to itself.`);
  return writeFailed(cause);
}
