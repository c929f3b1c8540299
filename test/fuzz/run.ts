/** Mutates files at random and reads them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { isMoving } from '../../src/codecs/frames.ts';
import { readHeader } from '../../src/codecs/header.ts';
import { MAX_PIXELS } from '../../src/codecs/limits.ts';
import { decodePng16 } from '../../src/codecs/png/png16.ts';
import { openSource } from '../../src/codecs/source.ts';
import { CrispenError } from '../../src/errors.ts';
import { detect, recognise } from '../../src/networks/detect.ts';
import { readPicture } from '../../src/node/images.ts';
import { readWeights } from '../../src/weights/read.ts';
import { IMAGE_CODE, imageSeeds, reseal } from './images.ts';
import { mutators, place, type Random, seeded } from './mutate.ts';
import { PICKLE_CODE, repack, weightSeeds } from './weights.ts';

const MIB = 2 ** 20;
const SLOWEST_MS = 2000;

/** Creates and reads mutated files of one format. */
interface Target {
  readonly format: string;
  /** Creates a mutated file. */
  readonly make: (random: Random) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  readonly read: (file: Uint8Array<ArrayBuffer>) => Promise<void>;
}

export interface FuzzOptions {
  /** The number of files per format. By default, as many files as the time allows. */
  readonly mutations?: number | undefined;
  readonly seconds?: number | undefined;
  /** The formats to test. By default, all formats. */
  readonly formats?: readonly string[] | undefined;
  readonly seed?: number;
  /** The number of the first file. */
  readonly from?: number;
  readonly onFault?: (what: string) => void;
}

/** The counts for one format. */
export interface Counts {
  files: number;
  /** The number of files that were read without an error. */
  read: number;
  typed: number;
  untyped: number;
  slow: number;
  large: number;
  /** The longest CPU time for one file, in milliseconds. */
  slowestMs: number;
  /** The largest memory use in bytes beyond four times the size of the file or its pixels. */
  most: number;
}

const copied = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

async function imageTargets(folder: string): Promise<Target[]> {
  const changes = mutators(IMAGE_CODE);
  const path = join(folder, 'file');
  const read = async (file: Uint8Array<ArrayBuffer>) => {
    // The page makes these calls before and after it opens a file.
    const { format } = readHeader(file);
    isMoving(format, file);
    const opened = openSource(file).then(async ({ bare, bits, isRaw }) => {
      if (format !== 'PNG' || bits !== 16 || !isRaw) return;
      // `decodeFile` turns the decoder's errors into DECODE_FAILED, but it needs a browser.
      await decodePng16(new Uint8Array(Buffer.concat([...bare]))).catch(() => {});
    });
    const error = await opened.then(
      () => null,
      (error) => error,
    );
    await writeFile(path, file);
    await readPicture(path);
    // Browsers read fewer formats than the command line, so this error is thrown only now.
    if (error && !(error instanceof CrispenError)) throw error;
  };
  return (await imageSeeds()).map(({ format, bytes, isResealed }) => ({
    format,
    read,
    make: (random) => {
      const mutator = changes[random(changes.length)];
      const changed = mutator(bytes.slice(), random, place(bytes.length, random));
      return copied(isResealed ? reseal(changed) : changed);
    },
  }));
}

async function weightTargets(): Promise<Target[]> {
  const changes = mutators(PICKLE_CODE);
  const read = async (file: Uint8Array) => {
    const { tensors } = await readWeights(file, recognise);
    detect(tensors, { likelyScale: 2 });
  };
  return (await weightSeeds()).map(({ format, bytes, zip }) => ({
    format,
    read,
    make: async (random) => {
      const mutator = changes[random(changes.length)];
      const strike = (part: Uint8Array) => mutator(part, random, place(part.length, random));
      return copied(zip === 'resealed' ? await repack(bytes, strike) : strike(bytes.slice()));
    },
  }));
}

/**
 * Returns this process's peak memory use since `resetPeak`, in bytes. Where the peak is unknown,
 * returns the current memory use.
 */
function peak(): number {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024;
  } catch {
    return process.memoryUsage.rss();
  }
}

function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Without the reset, only growth beyond all earlier files' peak is visible.
  }
}

/**
 * Returns how many bytes of memory reading a file may use. Files that exceed the pixel limit are
 * rejected, so their pixels do not count.
 */
function allowance(file: Uint8Array): number {
  const [width, height] = readHeader(file).size ?? [0, 0];
  const declared = width * height <= MAX_PIXELS ? width * height : 0;
  return 4 * Math.max(file.length, declared * 4);
}

export async function fuzz(options: FuzzOptions): Promise<Record<string, Counts>> {
  const { mutations = Number.POSITIVE_INFINITY, seconds, formats, seed = 1, from = 0 } = options;
  const { onFault = () => {} } = options;
  const folder = await mkdtemp(join(tmpdir(), 'crispen-fuzz-'));
  const counts: Record<string, Counts> = {};
  const end = performance.now() + (seconds ?? Number.POSITIVE_INFINITY) * 1000;
  sharp.cache(false);
  sharp.concurrency(1);
  try {
    const all = [...(await imageTargets(folder)), ...(await weightTargets())];
    const names = [...new Set(all.map(({ format }) => format))].filter(
      (name) => formats?.includes(name) ?? true,
    );
    const targets = new Map(names.map((name) => [name, all.filter((one) => one.format === name)]));
    for (let number = from; number < from + mutations && performance.now() < end; number++) {
      for (const [format, kinds] of targets) {
        counts[format] ??= {
          files: 0,
          read: 0,
          typed: 0,
          untyped: 0,
          slow: 0,
          large: 0,
          slowestMs: 0,
          most: 0,
        };
        const random = seeded(seed * 1_000_003 + number);
        const file = await kinds[number % kinds.length].make(random);
        await measure(kinds[0], file, counts[format], (what) =>
          onFault(`${format}, seed ${seed}, number ${number}: ${what}`),
        );
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return counts;
}

async function measure(
  { read }: Target,
  file: Uint8Array<ArrayBuffer>,
  count: Counts,
  onFault: (what: string) => void,
): Promise<void> {
  resetPeak();
  const before = process.memoryUsage.rss();
  const start = process.cpuUsage();
  count.files++;
  try {
    await read(file);
    count.read++;
  } catch (error) {
    if (error instanceof CrispenError && error.code !== 'INTERNAL') count.typed++;
    else {
      count.untyped++;
      onFault(error instanceof Error ? `${error.stack}` : String(error));
    }
  }
  const { user, system } = process.cpuUsage(start);
  const milliseconds = (user + system) / 1000;
  const over = peak() - before - allowance(file);
  count.slowestMs = Math.max(count.slowestMs, Math.round(milliseconds));
  count.most = Math.max(count.most, over);
  if (milliseconds > SLOWEST_MS) {
    count.slow++;
    onFault(`${Math.round(milliseconds)} ms`);
  }
  if (over > 64 * MIB) {
    count.large++;
    onFault(`${Math.round(over / MIB)} MiB beyond four times the file and its pixels`);
  }
}
