import type { ParseArgsConfig } from 'node:util';
import { TASKS, type Task } from '../catalog/task.ts';
import { timeLeft } from '../engine/progress.ts';
import type { AdapterReport, Progress } from '../engine/types.ts';
import type { SizeWish } from '../image/size.ts';
import { DEVICES, type DeviceName, type TilingChoice } from '../node/backend.ts';
import type { EnlargeSettings, EnlargeTask } from '../node/enlarger.ts';
import { OUTPUT_FORMATS, type OutputFormat } from '../node/images.ts';
import type { NetworkWish } from '../node/model.ts';
import { whole } from '../options.ts';
import { CALLS } from '../worker/page/options.ts';
import type { TuneMode } from '../worker/protocol.ts';
import { choice, parsed, UsageError, type ValuesOf } from './command.ts';
import { NETWORK_OPTIONS, networkOf } from './network.ts';
import { TILING_OPTIONS, tilingOf } from './tiling.ts';

/** The `parseArgs` options that determine how `crispen` processes an image. */
export const IMAGE_OPTIONS = {
  scale: { type: 'string' },
  width: { type: 'string' },
  height: { type: 'string' },
  fit: { type: 'string' },
  method: { type: 'string', default: 'network' },
  task: { type: 'string' },
  model: { type: 'string' },
  weights: { type: 'string' },
  ...NETWORK_OPTIONS,
  device: { type: 'string', default: 'auto' },
  tune: { type: 'string', default: 'quick' },
  threads: { type: 'string' },
  ...TILING_OPTIONS,
  precision: { type: 'string', default: 'auto' },
  format: { type: 'string' },
  quality: { type: 'string' },
  'keep-metadata': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

type Values = ValuesOf<typeof IMAGE_OPTIONS>;

/** The validated options. */
export interface ImageSettings {
  readonly device: DeviceName | 'auto' | 'all';
  /** How kernels for a GPU are chosen. */
  readonly tune: TuneMode;
  readonly threads: number | undefined;
  readonly tiling: TilingChoice;
  readonly models: EnlargeSettings;
  readonly task: EnlargeTask;
  /**
   * The output format. If undefined, it depends on the extension of the output file or, with
   * `--out`, of the input file.
   */
  readonly format: OutputFormat | undefined;
  readonly quality: number | undefined;
  readonly keepsMetadata: boolean;
  readonly json: boolean;
}

const TUNE_MODES: readonly TuneMode[] = ['off', 'quick', 'full'];

/**
 * The tasks for image files. Demosaicing is left out, because no supported file format contains raw
 * Bayer data.
 */
const IMAGE_TASKS: readonly Task[] = TASKS.filter((task) => task !== 'demosaic');

/**
 * Parses and checks the options.
 * @throws UsageError for invalid values, and for options that contradict each other.
 */
export function settingsOf(values: Values): ImageSettings {
  const device = choice('--device', values.device, [...DEVICES, 'all'] as const);
  const method = parsed('--method', values.method, CALLS.upscale.method);
  const task = choice('--task', values.task, IMAGE_TASKS);
  if (method === 'lanczos' && task !== undefined && task !== 'upscale') {
    throw new UsageError(`--method lanczos cannot do the task "${task}".`);
  }
  const { model, weights } = values;
  const wish = networkOf(values);
  if (weights === undefined || model !== undefined) checkKnown(wish);
  return {
    device,
    tune: choice('--tune', values.tune, TUNE_MODES),
    threads: parsed('--threads', values.threads, CALLS.createUpscaler.threads),
    tiling: tilingOf(values, device),
    models: {
      model,
      weights,
      wish,
      precision: parsed('--precision', values.precision, CALLS.createUpscaler.precision),
    },
    task: { size: sizeWishOf(values), task, method },
    format: choice('--format', values.format, OUTPUT_FORMATS),
    quality: parsed('--quality', values.quality, whole(1, 100)),
    keepsMetadata: values['keep-metadata'],
    json: values.json,
  };
}

/**
 * Rejects the options that describe a weight file's network, except `--input-range`. Called if the
 * network is that of a shipped model.
 * @throws UsageError if one of these options is given
 */
function checkKnown({ inputRange: _, ...wish }: NetworkWish): void {
  if (Object.values(wish).every((value) => value === undefined)) return;
  throw new UsageError(
    '--activation, --residual-scale and the like are for a file of --weights, without --model.',
  );
}

/**
 * Returns the requested size, or null if there is none.
 * @throws UsageError for invalid numbers and for more than one size.
 */
function sizeWishOf({ scale, width, height, fit }: Values): SizeWish | null {
  const given = [scale, width, height, fit].filter((value) => value !== undefined);
  if (given.length === 0) return null;
  if (given.length > 1) {
    throw new UsageError('Give one of --scale, --width, --height and --fit.');
  }
  const rules = CALLS.upscale;
  if (fit === undefined) {
    return {
      scale: parsed('--scale', scale, rules.scale),
      width: parsed('--width', width, rules.width),
      height: parsed('--height', height, rules.height),
    };
  }
  const [, w, h] = /^(\d+)x(\d+)$/i.exec(fit) ?? [];
  if (!w || !h) throw new UsageError(`--fit takes a box such as 4096x4096, not "${fit}".`);
  return {
    fit: { width: parsed('--fit', w, rules.width), height: parsed('--fit', h, rules.height) },
  };
}

/** Returns an adapter's name for use in messages. */
export function adapterName(adapter: AdapterReport | null): string {
  if (adapter === null) return 'the CPU';
  const name = adapter.description || adapter.device || adapter.architecture || adapter.vendor;
  return adapter.isFallbackAdapter ? `${name} (software, slow)` : name || 'the GPU';
}

export function showProgress({ fraction, remainingMs }: Progress): void {
  if (!process.stderr.isTTY) return;
  const left = timeLeft(remainingMs);
  process.stderr.write(`\r\x1b[K${Math.floor(fraction * 100)} %${left && `, ${left}`}`);
}

export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
