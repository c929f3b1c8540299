import type { Dirent } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, extname, isAbsolute, join, normalize, sep } from 'node:path';
import { readHeader } from '../../codecs/header.ts';
import { throwIfAborted } from '../../errors.ts';

/** A file among the inputs. */
export interface Item {
  readonly path: string;
  /**
   * The result's path relative to the output folder, with "/" as the separator. The file name is
   * that of the input, because `planWork` chooses the result's name later.
   */
  readonly relative: string;
}

/** The files and folders that were found in a list of inputs. */
export interface Found {
  /** The images, sorted by relative path. */
  readonly items: readonly Item[];
  /** The files that are not images. */
  readonly others: readonly Item[];
  /** The folders that were skipped because `recursive` was not set. */
  readonly closed: readonly string[];
}

export interface CollectOptions {
  readonly recursive: boolean;
  /** The output folder. If it is inside an input folder, it is skipped. */
  readonly out: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The names of files and folders that operating systems create, in lower case. Names that begin
 * with a dot are not listed, because all files and folders with such names are skipped.
 */
const SYSTEM = new Set([
  ...['thumbs.db', 'ehthumbs.db', 'desktop.ini', '$recycle.bin', 'lost+found'],
  ...['system volume information', '__macosx', '@eadir', 'icon\r'],
]);

/**
 * Image file extensions. If a file with one of these extensions is not an image, an error is
 * reported.
 */
const PICTURES = new Set([
  ...['.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.apng', '.webp', '.avif', '.gif', '.tif'],
  ...['.tiff', '.heic', '.heif', '.bmp', '.jxl', '.jp2', '.psd'],
]);

/** How many bytes at the start of a file are enough to detect its format. */
const START = 512;

/**
 * Finds the image files in a list of files and folders. Hidden and system files are skipped. Links
 * are followed, and each folder is entered only once. A file that is named directly is always
 * included. A file in a folder is included if it has an image extension or if `readHeader`
 * recognises its first bytes as a format other than text.
 */
export async function collect(
  inputs: readonly string[],
  { recursive, out, signal }: CollectOptions,
): Promise<Found> {
  const items: Item[] = [];
  const others: Item[] = [];
  const closed: string[] = [];
  const seen = new Set<string>([await realpath(out).catch(() => out)]);
  const enter = async (folder: string, prefix: string): Promise<void> => {
    throwIfAborted(signal);
    const real = await realpath(folder);
    if (seen.has(real)) return;
    seen.add(real);
    const entries = await readdir(folder, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (entry.name.startsWith('.') || SYSTEM.has(entry.name.toLowerCase())) continue;
      const path = join(folder, entry.name);
      const relative = `${prefix}${entry.name}`;
      const kind = await kindOf(entry, path);
      if (kind === 'folder') {
        if (recursive) await enter(path, `${relative}/`);
        else closed.push(path);
      } else if (kind === 'file' && (await isPicture(path))) items.push({ path, relative });
      else others.push({ path, relative });
    }
  };
  for (const input of inputs) {
    const found = await stat(input).catch(() => null);
    if (found?.isDirectory()) await enter(input, '');
    else items.push({ path: input, relative: placeOf(input) });
  }
  items.sort((a, b) => (a.relative < b.relative ? -1 : 1));
  return { items: await withoutRepeats(items), others, closed };
}

/**
 * Removes the duplicates of a file that was named twice, for example by two shell patterns.
 * @param items a list that is sorted by relative path
 */
async function withoutRepeats(items: readonly Item[]): Promise<Item[]> {
  const kept: Item[] = [];
  for (const item of items) {
    const last = kept.at(-1);
    const repeats = last?.relative === item.relative && (await isSameFile(last.path, item.path));
    if (!repeats) kept.push(item);
  }
  return kept;
}

const isSameFile = async (one: string, other: string): Promise<boolean> =>
  one === other ||
  (await realpath(one).catch(() => one)) === (await realpath(other).catch(() => other));

/**
 * Returns the relative path of the result for a file that was named directly. This is the given
 * path if it is relative and inside the current folder. Otherwise, it is the file's name.
 */
function placeOf(path: string): string {
  const clean = normalize(path);
  const leaves = isAbsolute(clean) || clean === '..' || clean.startsWith(`..${sep}`);
  return leaves ? basename(clean) : clean.split(sep).join('/');
}

async function kindOf(entry: Dirent, path: string): Promise<'file' | 'folder' | 'other'> {
  // A broken link is treated as a file that cannot be read.
  const found = entry.isSymbolicLink() ? await stat(path).catch(() => null) : entry;
  if (found === null) return 'file';
  if (found.isDirectory()) return 'folder';
  return found.isFile() ? 'file' : 'other';
}

async function isPicture(path: string): Promise<boolean> {
  if (PICTURES.has(extname(path).toLowerCase())) return true;
  const start = await readStart(path, START);
  if (start.length === 0) return false;
  const { format } = readHeader(start);
  return format !== 'unknown' && format !== 'text';
}

/** Reads the first bytes of a file. Returns no bytes if the file cannot be read. */
export async function readStart(path: string, length: number): Promise<Uint8Array> {
  try {
    const file = await open(path);
    try {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, (await file.read(bytes, 0, length, 0)).bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return new Uint8Array(0);
  }
}
