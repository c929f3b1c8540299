import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { upscaleOnCpu } from '../../src/engine/oracle/interpreter.ts';
import type { Rgba8Image } from '../../src/image/image.ts';
import { detect } from '../../src/networks/detect.ts';
import { readSafetensors } from '../../src/weights/safetensors.ts';
import { type Good, pixelsOf, writeFiles } from './files.ts';
import { crispen, type Program, residentMiB } from './program.ts';

export interface ManyCounts {
  readonly files: number;
  readonly good: number;
  /** Good pictures without a result, or with a result that differs from the oracle's. */
  readonly wrong: readonly string[];
  readonly bad: number;
  /**
   * Bad files that were not reported with the right code, and good files that were reported with an
   * error.
   */
  readonly unlisted: readonly string[];
  readonly exitCode: number | null;
  /** The process's memory use in MiB, by the number of files processed so far. */
  readonly memory: Readonly<Record<number, number>>;
  readonly peak: number;
  /** The peak memory use of a run with only the largest picture. */
  readonly peakOfLargest: number;
  readonly seconds: number;
}

export interface ManyOptions {
  readonly program: Program;
  readonly folder: string;
  readonly weights: string;
  readonly files: number;
  /** The number of bad files among them. */
  readonly bad: number;
  readonly seed: number;
  /** Additional options of `crispen`. */
  readonly args: readonly string[];
}

/** Enlarges a tree of good and bad files in one run, and compares each result with the oracle. */
export async function many(options: ManyOptions): Promise<ManyCounts> {
  const { program, folder, weights, files, seed } = options;
  const [from, out] = [join(folder, 'in'), join(folder, 'out')];
  const { good, bad, largest } = await writeFiles(from, files, options.bad, seed);
  const args = ['--weights', weights, ...options.args];
  const alone = await crispen(program, [
    join(from, largest),
    '--out',
    join(folder, 'one'),
    ...args,
  ]);
  const memory: Record<number, number> = {};
  const { code, lines, said, seconds } = await crispen(
    program,
    [from, '--out', out, '--recursive', ...args],
    {
      onLine(_, count, child) {
        if ([100, 500, 1000].includes(count)) memory[count] = Math.round(residentMiB(child));
      },
    },
  );
  const last = lines.at(-1);
  if (last?.pictures === undefined) throw new Error(said);
  const listed = new Map(lines.map(({ file, code, skipped }) => [file, code ?? skipped]));
  const unlisted = [
    ...bad
      .filter(({ relative, code }) =>
        code === null ? listed.get(relative) !== 'no picture' : listed.get(relative) !== code,
      )
      .map(({ relative, code }) => `${relative}: ${listed.get(relative)}, not ${code}`),
    ...good.filter(({ relative }) => listed.get(relative) !== undefined).map((g) => g.relative),
  ];
  return {
    files: good.length + bad.length,
    good: good.length,
    wrong: await wrongOnes(good, out, await readFile(weights)),
    bad: bad.length,
    unlisted,
    exitCode: code,
    memory,
    peak: Number(last?.peakMegabytes),
    peakOfLargest: Number(alone.lines.at(-1)?.peakMegabytes),
    seconds: Math.round(seconds * 10) / 10,
  };
}

async function wrongOnes(good: readonly Good[], out: string, file: Uint8Array): Promise<string[]> {
  const { network, weights } = detect(readSafetensors(new Uint8Array(file)).tensors);
  const known = new Map<number, Rgba8Image>();
  const wrong: string[] = [];
  for (const { relative, output, seed } of good) {
    let expected = known.get(seed);
    if (!expected) {
      expected = (await upscaleOnCpu(network, weights, pixelsOf(seed))).image;
      // Small pictures occur only once, so their expected results are not cached.
      if (expected.width > 1000) known.set(seed, expected);
    }
    const off = await distance(join(out, output), expected).catch(() => Number.POSITIVE_INFINITY);
    // GIF is limited to 256 colours, and JPEG and WebP are lossy.
    const isExact = /\.(png|tiff)$/.test(relative);
    if (!(off < (isExact ? 0.6 : 5))) wrong.push(`${output}: ${off}`);
  }
  return wrong;
}

/** Returns the mean difference between a file's samples and an image's. */
async function distance(path: string, { width, height, data }: Rgba8Image): Promise<number> {
  const decoded = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const { info } = decoded;
  if (info.width !== width || info.height !== height || info.channels !== 3) return Infinity;
  let sum = 0;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) sum += Math.abs(decoded.data[i * 3 + c] - data[i * 4 + c]);
  }
  return sum / (width * height * 3);
}
