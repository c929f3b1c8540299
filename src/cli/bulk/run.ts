import { statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ParseArgsConfig } from 'node:util';
import { CrispenError, type ErrorCode } from '../../errors.ts';
import { pixelsOf, type Size } from '../../geometry.ts';
import { type SizeWish, wishedSize } from '../../image/size.ts';
import { type Backend, openBackends } from '../../node/backend.ts';
import { Enlarger } from '../../node/enlarger.ts';
import { readBytes, readPicture } from '../../node/images.ts';
import { findOutput, makeFolder, openSink, removeStale } from '../../node/output.ts';
import { positiveInteger, UsageError, type ValuesOf } from '../command.ts';
import { lineOf } from '../line.ts';
import { adapterName, type ImageSettings } from '../settings.ts';
import { collect, type Found } from './inputs.ts';
import { Journal } from './journal.ts';
import {
  DEFAULT_NAME,
  declaredSize,
  planWork,
  settingsHash,
  show,
  stampOf,
  type Work,
} from './plan.ts';
import { type Shard, shardOf, shardWith } from './shard.ts';
import { Tally } from './tally.ts';

/** The `parseArgs` options for processing many images. */
export const BULK_OPTIONS = {
  out: { type: 'string' },
  recursive: { type: 'boolean', default: false },
  'files-from': { type: 'string' },
  null: { type: 'boolean', short: '0', default: false },
  name: { type: 'string' },
  jobs: { type: 'string' },
  shard: { type: 'string' },
  overwrite: { type: 'boolean', default: false },
  'fail-fast': { type: 'boolean', default: false },
  'dry-run': { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

type Values = ValuesOf<typeof BULK_OPTIONS>;

export const BULK_USAGE = `
Many pictures:
  --out DIR        the folder of the results, with the folders of the inputs. A second run makes what is
                   missing: DIR/.crispen.jsonl says what was made, from what and how
  --recursive      enter the folders of a folder
  --files-from F   read more inputs from a file, one a line; "-" is standard input
  -0, --null       with --files-from: names end with a NUL byte, as find -print0 writes them
  --name TEMPLATE  names of results from {name}, {scale} and {ext}, such as '{name}@{scale}x.{ext}'
                   (default '{name}.{ext}')
  --jobs N         pictures that are read, computed and written at the same time (default 3), for
                   each GPU
  --shard I/N      only the pictures of part I of N; auto: the task of Slurm, Kubernetes, AWS Batch,
                   PBS or Grid Engine (auto/N where it does not tell N)
  --overwrite      make everything again
  --fail-fast      stop at the first picture that fails
  --dry-run        say what there is to do, how long it takes and what room it needs
"crispen status DIR" sums up all shards.`;

/** Returns whether the options request the processing of many images. */
export const isBulk = (values: Values): boolean =>
  values.out !== undefined ||
  values['files-from'] !== undefined ||
  values.shard !== undefined ||
  values['dry-run'];

/** The errors that end the whole run, not only the processing of one image. */
const FATAL: readonly ErrorCode[] = [
  'NO_WEBGPU',
  'NO_WASM',
  'MODEL_UNKNOWN',
  'MODEL_CORRUPT',
  'MODEL_UNSUPPORTED',
];
const isFull = ({ cause }: CrispenError): boolean =>
  ['ENOSPC', 'EDQUOT', 'EROFS'].includes(String((cause as { code?: unknown } | undefined)?.code));

/** Runs the command `crispen` with `--out`. */
export async function bulkCommand(
  inputs: readonly string[],
  values: Values,
  settings: ImageSettings,
  signal?: AbortSignal,
): Promise<number> {
  const started = performance.now();
  const { out } = values;
  if (out === undefined) throw new UsageError('Many pictures need --out DIR.');
  const shard = values.shard === undefined ? { index: 1, of: 1 } : shardOf(values.shard);
  const jobs = positiveInteger('--jobs', values.jobs) ?? 3;
  const listed = values['files-from'] === undefined ? [] : await listFrom(values);
  if (inputs.length + listed.length === 0) throw new UsageError('Name files or folders.');
  const named = [...inputs, ...listed];
  const found = await collect(named, { recursive: values.recursive, out, signal });
  const template = values.name ?? DEFAULT_NAME;
  // Every shard plans the names of all shards' results, so all shards detect the same name
  // collisions.
  const all = await planWork(found.items, { out, template, settings });
  const work = all.filter(({ relative }) => shardWith(relative, shard.of) === shard.index);
  const { device, tiling, threads, tune } = settings;
  const backends = await openBackends(device, tiling, threads, tune);
  const tally = new Tally(work.length, settings.json);
  try {
    const enlargers = backends.map((backend) => new Enlarger(backend, settings.models));
    const [enlarger] = enlargers;
    // Making this plan detects an invalid model before any work begins. If the requested size is a
    // width, a height or a box, each image can need a different factor, so the plan uses the
    // model's own scale.
    const { chain } = await enlarger.plan(SOME, { ...settings.task, size: factorAlone(settings) });
    const hash = settingsHash(settings, chain);
    if (values['dry-run']) {
      const journal = await Journal.read(out);
      const missing = work.filter((one) => values.overwrite || !journal.lists(one, hash));
      const already = work.length - missing.length;
      await dryRun(missing, found, { enlarger, settings, out, already });
      return 0;
    }
    if (!settings.json) sayFound(found, work, shard, namesOf(backends));
    await makeFolder(out);
    for (const folder of new Set(work.map(({ output }) => dirname(join(out, output))))) {
      await removeStale(folder);
    }
    const journal = await Journal.open(out, shard);
    try {
      // Only results that are not in the journal need more disk space.
      const missing = work.filter((one) => !journal.lists(one, hash));
      await checkRoom(missing, settings, out);
      journal.append({
        run: new Date().toISOString(),
        shard: shard.index,
        of: shard.of,
        pictures: work.length,
      });
      const run: Run = {
        settings,
        out,
        hash,
        journal,
        tally,
        jobs,
        signal,
        room: new Room(tiling.memoryBudget ?? 2 ** 30),
        tried: new Set(),
        overwrite: values.overwrite,
        failFast: values['fail-fast'],
      };
      try {
        await runAll(work, enlargers, run);
        for (const other of found.others) tally.other(other);
      } finally {
        // The summary of the run is printed even if an error ends the run early.
        const engineMs = enlargers.reduce((sum, { busyMs }) => sum + busyMs, 0);
        const seconds = (performance.now() - started) / 1000;
        const pipelines = backends.reduce((sum, backend) => sum + backend.pipelines, 0);
        tally.end({ seconds, engineMs, pipelines, closed: found.closed.length });
      }
    } finally {
      journal.close();
    }
    for (const backend of backends) await backend.tune(signal);
    return tally.failed > 0 ? 1 : 0;
  } finally {
    for (const backend of backends) backend.close();
  }
}

/** An arbitrary image size, for plans that do not depend on the size. */
const SOME = { width: 64, height: 64 };

/**
 * Returns the requested size if it is given as a factor. Otherwise, returns null, which means the
 * model's own scale.
 */
const factorAlone = ({ task: { size } }: ImageSettings) =>
  size?.scale === undefined ? null : size;

/** Returns the names of the devices. */
const namesOf = (backends: readonly Backend[]): string =>
  backends.map(({ adapter }) => adapterName(adapter)).join(' and ');

interface Run {
  readonly settings: ImageSettings;
  readonly out: string;
  readonly hash: string;
  readonly journal: Journal;
  readonly tally: Tally;
  readonly room: Room;
  /** The folders in which a test file has already been written. */
  readonly tried: Set<string>;
  readonly jobs: number;
  readonly overwrite: boolean;
  readonly failFast: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Processes all images. Each device processes several images concurrently, and the first free
 * device takes the next image.
 * @throws CrispenError if the run cannot continue; `ABORTED` if `run.signal` is aborted
 */
async function runAll(
  work: readonly Work[],
  enlargers: readonly Enlarger[],
  run: Run,
): Promise<void> {
  const stop = new AbortController();
  const signal = run.signal ? AbortSignal.any([run.signal, stop.signal]) : stop.signal;
  const queue = work.values();
  let fatal: CrispenError | null = null;
  const worker = async (enlarger: Enlarger) => {
    for (const one of queue) {
      if (signal.aborted) return;
      const error = await makeOne(one, enlarger, { ...run, signal });
      if (error === null || fatal !== null) continue;
      if (!run.failFast && !FATAL.includes(error.code) && !isFull(error)) continue;
      fatal = error;
      stop.abort();
    }
  };
  const jobs = Array.from({ length: run.jobs });
  await Promise.all(jobs.flatMap(() => enlargers.map(worker)));
  if (run.signal?.aborted) throw new CrispenError('ABORTED', 'The run was cancelled.');
  // With `failFast`, any image's error ends the run, and `tally` has already printed this error.
  if (fatal !== null && !run.failFast) throw fatal as CrispenError;
}

/** Processes one image. @returns the error if the image failed, otherwise null */
async function makeOne(
  one: Work,
  enlarger: Enlarger,
  { settings, out, hash, journal, tally, room, tried, overwrite, signal }: Run,
): Promise<CrispenError | null> {
  const { path, relative: input, output, format } = one;
  const { quality, keepsMetadata } = settings;
  let stamp = { size: 0, time: 0 };
  try {
    stamp = await stampOf(path).catch(async (error) => {
      // If the file cannot be read, this call throws an error with a readable message.
      await readBytes(path);
      throw error;
    });
    const key = { input, ...stamp, settings: hash, output };
    if (!overwrite && (await journal.isDone(key))) {
      tally.already();
      return null;
    }
    const declared = await declaredSize(path);
    const release = await room.take(memoryOf(declared, settings.task.size, format));
    try {
      const to = join(out, output);
      await makeFolder(dirname(to));
      // A test file is written only for the first result in each folder.
      const tries = !tried.has(dirname(to));
      const place = await findOutput(to, path, { tries });
      tried.add(dirname(to));
      const picture = await readPicture(path, format);
      const request = { ...settings.task, format, quality, keepsMetadata, signal };
      const enlarged = await enlarger.enlarge(picture, () => openSink(place, signal), request);
      journal.append({ ...key, bytes: enlarged.bytes });
      tally.made(one, lineOf(picture, enlarged));
    } finally {
      release();
    }
    return null;
  } catch (thrown) {
    const error = CrispenError.from(thrown);
    if (error.code === 'ABORTED' && signal?.aborted) return null;
    const { code, message } = error;
    journal.append({ input, ...stamp, settings: hash, code, message });
    tally.fail(one, error);
    return error;
  }
}

/**
 * Estimates how many bytes of memory are needed to process an image, not counting the engine's
 * memory.
 */
function memoryOf(image: Size | null, size: SizeWish | null, format: Work['format']): number {
  if (image === null) return 2 ** 26;
  const factor = size === null ? 4 : factorOf(image, size);
  // A PNG is written strip by strip, so the whole result is never in memory.
  const result = format === 'png' ? 0 : factor ** 2;
  return pixelsOf(image) * 4 * (2 + result);
}

/** Returns the factor for a requested size, or 1 for a size that will be rejected later. */
function factorOf(image: Size, size: SizeWish): number {
  try {
    return wishedSize(image, size).factor;
  } catch {
    return 1;
  }
}

/**
 * Limits the memory that concurrently processed images use. An image that is processed alone may
 * exceed the limit.
 */
class Room {
  readonly #size: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /**
   * Waits until the given number of bytes is available, and then reserves them.
   * @returns a function that releases them
   */
  async take(bytes: number): Promise<() => void> {
    while (this.#taken > 0 && this.#taken + bytes > this.#size) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#taken += bytes;
    return () => {
      this.#taken -= bytes;
      for (const wake of this.#waiting.splice(0)) wake();
    };
  }
}

async function listFrom(values: Values): Promise<string[]> {
  const bytes = await readBytes(values['files-from'] as string);
  const text = new TextDecoder().decode(bytes);
  return text.split(values.null ? '\0' : /\r?\n/).filter((name) => name !== '');
}

/**
 * The typical number of bytes per pixel of a photo in common formats. For all other formats,
 * `UNCOMPRESSED` is used.
 */
const BYTES_PER_PIXEL: Readonly<Record<string, number>> = {
  png: 2,
  jpeg: 0.6,
  webp: 0.4,
  avif: 0.35,
};
const UNCOMPRESSED = 4;
/** The maximum number of images in the sample from which sizes are estimated. */
const SAMPLED = 400;

/**
 * Estimates the total number of pixels in the inputs and in the results, and the total size of the
 * results in bytes. The estimates come from a sample of the images. `largest` is the number of
 * pixels in the largest input of the sample.
 */
async function estimateSizes(work: readonly Work[], { task: { size } }: ImageSettings) {
  const step = Math.max(1, Math.ceil(work.length / SAMPLED));
  let [input, output, bytes, largest, sampled] = [0, 0, 0, 0, 0];
  for (let i = 0; i < work.length; i += step) {
    const image = await declaredSize(work[i].path);
    if (image === null) continue;
    const pixels = pixelsOf(image);
    const factor = size === null ? 2 : factorOf(image, size);
    sampled++;
    input += pixels;
    output += pixels * factor ** 2;
    bytes += pixels * factor ** 2 * (BYTES_PER_PIXEL[work[i].format] ?? UNCOMPRESSED);
    largest = Math.max(largest, pixels);
  }
  const share = sampled === 0 ? 0 : work.length / sampled;
  return { input: input * share, output: output * share, bytes: bytes * share, largest };
}

/** @throws CrispenError `WRITE_FAILED` if the results are unlikely to fit on the disk */
async function checkRoom(work: readonly Work[], settings: ImageSettings, out: string) {
  const { bytes } = await estimateSizes(work, settings);
  const free = await freeBytes(out);
  if (free === null || bytes <= free) return;
  throw new CrispenError(
    'WRITE_FAILED',
    `The results need about ${megabytes(bytes)}, and ${show(out)} has ${megabytes(free)} left.`,
    { hint: 'Choose another folder, a smaller size, or --format webp.' },
  );
}

/**
 * Returns how many bytes are free on a folder's disk, even if the folder does not exist yet.
 * Returns null if this is unknown.
 */
async function freeBytes(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    const parent = dirname(resolve(folder));
    return parent === folder ? null : freeBytes(parent);
  }
}

const megabytes = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;

function sayFound(found: Found, work: readonly Work[], shard: Shard, by: string): void {
  const part = shard.of === 1 ? '' : ` in part ${shard.index} of ${shard.of}`;
  console.log(`${count(work.length, 'picture')}${part}, on ${by}.`);
  sayPassed(found);
}

function sayPassed({ others, closed }: Found): void {
  if (closed.length > 0)
    console.log(`Not entered: ${count(closed.length, 'folder')} (--recursive).`);
  if (others.length > 0) console.log(`No pictures: ${count(others.length, 'file')}.`);
}

const count = (number: number, what: string): string =>
  `${number} ${what}${number === 1 ? '' : 's'}`;

/** The width and height, in pixels, of the image that is enlarged to estimate the running time. */
const PROBE = 96;

/** Prints the amount of work and the estimated time and space, without processing any images. */
async function dryRun(
  work: readonly Work[],
  found: Found,
  {
    enlarger,
    settings,
    out,
    already,
  }: {
    readonly enlarger: Enlarger;
    readonly settings: ImageSettings;
    readonly out: string;
    /** The number of images that an earlier run has already processed. */
    readonly already: number;
  },
): Promise<void> {
  const { input, output, bytes, largest } = await estimateSizes(work, settings);
  const data = Uint8ClampedArray.from({ length: PROBE ** 2 * 4 }, (_, i) => ((i * 31) % 251) | 128);
  const image = { width: PROBE, height: PROBE, data };
  const probe = () => enlarger.probe(image, { ...settings.task, size: factorAlone(settings) });
  // The first probe also compiles kernels, so its time is not used.
  await probe();
  const seconds = ((await probe()) / PROBE ** 2 / 1000) * input;
  const memory = largest * 4 * 6 + (settings.tiling.memoryBudget ?? 2 ** 30);
  const free = await freeBytes(out);
  const line = {
    pictures: work.length,
    already,
    noPicture: found.others.length,
    foldersNotEntered: found.closed.length,
    megapixels: round(input / 1e6),
    resultMegapixels: round(output / 1e6),
    seconds: round(seconds),
    memoryMegabytes: Math.ceil(memory / 1e6),
    diskMegabytes: Math.ceil(bytes / 1e6),
    freeMegabytes: free === null ? null : Math.floor(free / 1e6),
  };
  if (settings.json) {
    console.log(JSON.stringify(line));
    return;
  }
  const there = already > 0 ? `; ${already} already there` : '';
  console.log(`${count(work.length, 'picture')}, ${line.megapixels} megapixels${there}`);
  const room = free === null ? '' : `, and ${megabytes(free)} are free`;
  console.log(`results: ${line.resultMegapixels} megapixels, about ${megabytes(bytes)}${room}`);
  console.log(`time: about ${duration(seconds)}; memory: at most about ${megabytes(memory)}`);
  sayPassed(found);
}

const round = (value: number): number => Math.round(value * 100) / 100;

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  return `${(seconds / 3600).toFixed(1)} hours`;
}
