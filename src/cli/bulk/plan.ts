import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, posix, resolve } from 'node:path';
import { findModel, MODEL_FILES } from '../../catalog/files.ts';
import { FORMATS } from '../../codecs/formats.ts';
import { readHeader } from '../../codecs/header.ts';
import { MAX_PIXELS } from '../../codecs/limits.ts';
import { CrispenError } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { type OutputFormat, writtenFormat } from '../../node/images.ts';
import type { ChosenModel } from '../../node/model.ts';
import { AUTO } from '../../worker/protocol.ts';
import { UsageError } from '../command.ts';
import type { ImageSettings } from '../settings.ts';
import { type Item, readStart } from './inputs.ts';

/** One input image and its result. */
export interface Work extends Item {
  readonly format: OutputFormat;
  /** The result's path relative to the output folder, with "/" as the separator. */
  readonly output: string;
}

/** The default template for the names of results. `--name` overrides it. */
export const DEFAULT_NAME = '{name}.{ext}';

const PLACES = ['name', 'scale', 'ext'] as const;

/**
 * Chooses the names and formats of the results. The format is the value of `--format`, if given.
 * Otherwise, it is the input's format if Crispen can write that format, or PNG if not.
 * @throws UsageError for an invalid template; CrispenError `INVALID_INPUT` if two results would
 *   have the same path, or if a result would overwrite an input
 */
export async function planWork(
  items: readonly Item[],
  { out, template, settings }: { out: string; template: string; settings: ImageSettings },
): Promise<Work[]> {
  checkTemplate(template);
  const scale = template.includes('{scale}') ? scaleOf(settings) : '';
  const work = items.map((item): Work => {
    const extension = extname(item.relative);
    const own = settings.format === undefined ? writtenFormat(extension) : undefined;
    const format = own ?? settings.format ?? 'png';
    const ext = own ? extension.slice(1) : FORMATS[`image/${format}`].extensions[0];
    const name = posix.basename(item.relative, extension);
    const values = { name, scale, ext };
    const file = template.replace(/\{(\w+)\}/g, (_, place: keyof typeof values) => values[place]);
    return { ...item, format, output: posix.join(posix.dirname(item.relative), file) };
  });
  await checkApart(work, out);
  return work;
}

function checkTemplate(template: string): void {
  for (const [all, place] of template.matchAll(/\{(\w*)\}/g)) {
    if (!PLACES.includes(place as (typeof PLACES)[number])) {
      throw new UsageError(`--name knows {name}, {scale} and {ext}, not ${all}.`);
    }
  }
  if (/[/\\]/.test(template) || template.startsWith('.') || template === '') {
    throw new UsageError('--name is a file name: without slashes, and without a dot in front.');
  }
}

/** @throws UsageError if the factor can differ between images or depends on a weight file */
function scaleOf({ task: { size, task }, models }: ImageSettings): string {
  if (size?.scale !== undefined) return String(size.scale);
  if (size || models.weights !== undefined) {
    throw new UsageError('{scale} in --name needs --scale.');
  }
  if (models.model !== undefined && models.model !== AUTO) {
    return String(findModel(models.model).scale);
  }
  return task === undefined || task === 'upscale' ? '2' : '1';
}

/** Normalises a name. Names that a file system might treat as equal have the same normal form. */
const folded = (path: string): string => path.normalize('NFC').toLowerCase();

async function checkApart(work: readonly Work[], out: string): Promise<void> {
  const byOutput = new Map<string, Work>();
  for (const one of work) {
    const other = byOutput.get(folded(one.output));
    if (other) {
      throw new CrispenError(
        'INVALID_INPUT',
        `${show(one.path)} and ${show(other.path)} would both write ${show(one.output)}.`,
        { hint: 'Rename one, choose other folders, or --name without the same {ext} for both.' },
      );
    }
    byOutput.set(folded(one.output), one);
  }
  const root = await realpath(out).catch(() => resolve(out));
  const outputs = new Set([...byOutput.values()].map(({ output }) => join(root, output)));
  for (const { path } of work) {
    const folder = await realpath(dirname(path)).catch(() => dirname(resolve(path)));
    if (!outputs.has(join(folder, basename(path)))) continue;
    throw new CrispenError('INVALID_INPUT', `${show(path)} would be overwritten by a result.`, {
      hint: 'Choose another folder with --out, or another name with --name.',
    });
  }
}

/**
 * Returns a hash of the settings and the weight files that affect a result.
 * @param chain the models that run; used only if a weight file is given. Without a weight file, the
 *   hash covers all shipped models, because different images can need different models.
 */
export function settingsHash(settings: ImageSettings, chain: readonly ChosenModel[]): string {
  const { models, task, format, quality, keepsMetadata, tiling } = settings;
  const { weights, ...named } = models;
  const files = (weights === undefined ? MODEL_FILES : chain).map(({ sha256 }) => sha256);
  const { edge, statistics } = tiling;
  const all = [named, task, format, quality, keepsMetadata, edge, statistics, [...new Set(files)]];
  return createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 16);
}

/**
 * Reads an image's size from the header of its file. Returns null if the first bytes do not contain
 * the size. Also returns null if the image has more than `MAX_PIXELS` pixels, because one damaged
 * header could otherwise add hundreds of gigabytes to the estimated size of the results.
 */
export async function declaredSize(path: string): Promise<Size | null> {
  const start = await readStart(path, 2 ** 16);
  const [width, height] = (start.length === 0 ? null : readHeader(start).size) ?? [0, 0];
  const pixels = width * height;
  return pixels > 0 && pixels <= MAX_PIXELS ? { width, height } : null;
}

/** Returns a file's size and modification time, which show whether the file has changed. */
export async function stampOf(path: string): Promise<{ size: number; time: number }> {
  const { size, mtimeMs } = await stat(path);
  return { size, time: Math.round(mtimeMs) };
}

/** Formats a path for messages. It is quoted if it contains control characters or double quotes. */
export const show = (path: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names may hold them
  /[\u0000-\u001f\u007f-\u009f"]/.test(path) ? JSON.stringify(path) : path;
