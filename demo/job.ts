import type { Rect } from '../src/geometry.ts';
import {
  CPU_MAX_PIXELS,
  type Detection,
  type UpscaleOutput,
  type UpscaleProgress,
  type Upscaler,
} from '../src/index.ts';
import { sizeOf, wishKey } from './sizes.ts';
import {
  type Item,
  type Phase,
  type Result,
  type Settings,
  sourceSizeOf,
  type Way,
} from './state.ts';
import { isBeyondCanvas, sizeWarning } from './words.ts';

/** The page asks before it starts a job that takes longer than this. */
const LONG_MS = 60_000;
/** The longer side of the reduced copy that is shown if a result is too large to display. */
const PREVIEW_SIDE = 2048;

export interface JobParts {
  readonly upscaler: Pick<Upscaler, 'upscale' | 'estimateCpu'>;
  /** Whether the page can ask the visitor for a file to write to. */
  readonly canPickFile: boolean;
  readonly detect: () => Promise<Detection>;
}

/** A question to the visitor, or a result. */
export type Outcome = Extract<Phase, { kind: 'confirm' | 'choose' }> | Result;

/**
 * Returns a key that is equal only for equal results. A plain resize and a network's result have
 * different keys, and so do a part of the picture and the whole picture.
 */
export function resultKey(
  { task, size, model }: Settings,
  way: Way | null,
  crop: Rect | null,
): string {
  const parts = [...(way === 'lanczos' ? [way] : []), ...(crop ? [cropKey(crop)] : [])];
  return [task, model.id, wishKey(size), ...parts].join(' ');
}

/** Returns a key that is equal for equal parts. Empty for the whole picture. */
export const cropKey = (crop: Rect | null): string =>
  crop ? `${crop.width}x${crop.height}+${crop.x}+${crop.y}` : '';

/**
 * Computes a picture's requested result, unless the visitor has to answer a question first.
 * @param to receives a result that is too large to show
 * @throws CrispenError in the same cases as `Upscaler.upscale`
 */
export async function attempt(
  { upscaler, canPickFile, detect }: JobParts,
  { picture, crop, settings, way, confirmed }: Item,
  to: FileSystemFileHandle | null,
  signal: AbortSignal,
  onProgress: (progress: UpscaleProgress) => void,
): Promise<Outcome> {
  const { cpu } = await detect();
  const request = { ...settings.size, model: settings.model.id };
  const source = sourceSizeOf({ crop, picture });
  const size = sizeOf(settings.size, source);
  const warning = size && sizeWarning(size);
  const isLarge = size !== null && isBeyondCanvas(size);
  const toFile = isLarge && canPickFile;
  const isAgreed = toFile ? to !== null : confirmed;
  if (warning !== null && !isAgreed) return { kind: 'confirm', warning, toFile };
  if (cpu && way === null && source !== null) {
    const { width, height } = source;
    // Without WebAssembly, plain loops compute the result. They are so slow that they are limited
    // to small pictures.
    const isHopeless = cpu.code === 'loops' && width * height > CPU_MAX_PIXELS;
    const cpuMs = isHopeless ? null : await upscaler.estimateCpu(width, height, request);
    if (cpuMs === null || cpuMs > LONG_MS) return { kind: 'choose', cpuMs };
  }
  const output: UpscaleOutput<ImageBitmap | Blob | null> = await upscaler.upscale(picture.file, {
    ...request,
    signal,
    onProgress,
    output: 'image/png',
    // Adding metadata later requires re-encoding. A file that is too large for that is written
    // without metadata.
    metadata: isLarge ? 'drop' : 'keep',
    ...(crop && { region: crop }),
    ...(way === 'lanczos' && { method: way }),
    ...(to && { to }),
    ...(isLarge && { preview: PREVIEW_SIDE }),
  });
  const { image, ...facts } = output;
  const file = image as Blob | null;
  const key = resultKey(settings, way, crop);
  return { ...facts, key, settings, crop, file, savedAs: to?.name ?? '' };
}
