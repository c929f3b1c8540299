import { parseArgs } from 'node:util';
import { savePng } from '../codecs/sink.ts';
import { enlarge, enlargeWhole, type Pass } from '../engine/pipeline/enlarge.ts';
import { timeLeft } from '../engine/progress.ts';
import type { Precision } from '../engine/tune/precision.ts';
import type { AdapterReport, Progress, Recovery } from '../engine/types.ts';
import { depthOf } from '../image/image.ts';
import { isOpaque } from '../image/pixels.ts';
import type { SizeWish } from '../image/size.ts';
import { type Backend, DEVICES, openBackend } from '../node/backend.ts';
import { checkFormat, formatOf, OUTPUT_FORMATS, readPicture, writeImage } from '../node/images.ts';
import { type ChosenModel, chooseChain, type NetworkWish } from '../node/model.ts';
import { findOutput, openSink, STDIO } from '../node/output.ts';
import { MAX_THREADS } from '../node/threads.ts';
import { whole } from '../options.ts';
import { CALLS } from '../worker/page/options.ts';
import { choice, parsed, UsageError } from './command.ts';
import { NETWORK_OPTIONS, NETWORK_USAGE, networkOf } from './network.ts';
import { TILING_OPTIONS, TILING_USAGE, tilingOf } from './tiling.ts';

export const UPSCALE_USAGE = `
crispen INPUT OUTPUT [options]

Enlarges or restores an image (JPEG, PNG, WebP, AVIF, GIF, TIFF). Colours stay as they are: the profile goes into the
output, a PNG of 16 bits becomes one of 16 bits. The output's extension chooses its format: png, jpg,
webp, avif. "-" is standard input or standard output; what is reported of the run then goes to standard
error. Links are followed, permissions stay.

  --scale N        any factor up to 16, such as 2 or 2.7 (default: the model's own, else 2): the next
                   network's scale, then resized to the exact size. Above 4 there are several
                   passes, which add size but no true detail. Below 1 no network runs
  --width N, --height N, --fit WxH
                   instead of --scale: a side in pixels, or a box that the result fits into
  --method NAME    network or lanczos (default network)
  --task NAME      upscale (default); dejpeg removes JPEG artifacts, denoise removes noise. Both keep
                   the image's size; with another size, the default models enlarge the result
  --model ID       a shipped model, such as a2n-x2; at another scale, the model of the same family
                   (default: the photo models)
  --weights FILE   a weight file (.safetensors, .pth, .pt, .ckpt) of a network that Crispen knows. With
                   --model, it replaces the weights of that model
${NETWORK_USAGE}
  --device NAME    auto (default: a GPU, or else the CPU), gpu or cpu
  --tune MODE      how kernels for the GPU are chosen: quick (default: a table, and after the image a
                   measurement of at most 250 ms of GPU time, kept for later runs), full (a
                   measurement of some seconds before the image, also kept) or off (the table)
  --threads N      threads on the CPU (default: one per core, at most 8)
${TILING_USAGE}
  --edge MODE      pixels beyond the border: zero (default; as networks were trained), replicate,
                   or wrap, for textures that tile
  --precision NAME precision of feature maps and weights on the GPU: auto (default: f16 for shipped
                   models if the GPU has it), f32 or f16
  --format NAME    png, jpeg, webp or avif (default: by the extension of the output; png for standard
                   output, pipes and devices)
  --quality N      1 to 100, for all but PNG (default 92)
  --keep-metadata  copy EXIF and XMP to the result (not to AVIF)
  --json           print one line of JSON about the run
  --help           this text
`;

const TUNE_MODES = ['off', 'quick', 'full'] as const;

/** The tasks for images. Raw Bayer data has no supported file format. */
const TASKS = ['upscale', 'dejpeg', 'denoise'] as const;

const RECOVERIES: Readonly<Record<Recovery, string>> = {
  'device-lost': 'The GPU was lost during the work, which went on from the last finished rows.',
  'f16-overflow': 'The values were too large for f16, so the model ran in f32.',
};

/** The command `crispen`. */
export async function upscaleCommand(args: string[], signal?: AbortSignal): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
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
    },
  });
  const [input, output, ...rest] = positionals;
  if (input === undefined || output === undefined || rest.length > 0) {
    throw new UsageError('Name one input file and one output file.');
  }
  const device = choice('--device', values.device, DEVICES);
  const threads =
    values.threads === undefined
      ? undefined
      : parsed('--threads', values.threads, whole(1, MAX_THREADS));
  const mode = choice('--tune', values.tune, TUNE_MODES);
  const tiling = tilingOf(values, device);
  const method = parsed('--method', values.method, CALLS.upscale.method);
  const precision = parsed('--precision', values.precision, CALLS.createUpscaler.precision);
  const task = values.task === undefined ? undefined : choice('--task', values.task, TASKS);
  if (method === 'lanczos' && task !== undefined && task !== 'upscale') {
    throw new UsageError(`--method lanczos cannot do the task "${task}".`);
  }
  const wish = sizeWishOf(values);
  const { model, weights } = values;
  const networkWish = networkOf(values);
  if (weights === undefined || model !== undefined) checkKnown(networkWish);
  const asked =
    values.format === undefined ? undefined : choice('--format', values.format, OUTPUT_FORMATS);
  const quality = qualityOf(values.quality);
  if (input === STDIO && weights === STDIO) {
    throw new UsageError('The image and the weights cannot both come from standard input.');
  }
  const to = await findOutput(output, input);
  const format = asked ?? formatOf(to);
  // Standard output is for the image only.
  const say = to.kind === 'stdout' ? console.error : console.log;
  const { image, tags: found, animated, notes } = await readPicture(input, format);
  const tags = values['keep-metadata'] ? found : { ...found, exif: null, xmp: null };
  const { chain, size, factor } = await chooseChain(image, wish, {
    task,
    model,
    weights,
    wish: networkWish,
  });
  checkFormat(format, size);

  // A model may run twice.
  const assumptions = [...new Set(method === 'lanczos' ? [] : chain.flatMap((m) => m.assumptions))];

  const backend = await openBackend(device, tiling, threads, mode);
  try {
    const depth = depthOf(image);
    const plan = {
      size,
      depth,
      device: backend.resampler,
      passes: method === 'lanczos' ? [] : passesOf(backend, chain, precision),
    };
    const options = { signal, onProgress: showProgress };
    const makeWhole = async () => {
      const { image: result, report } = await enlargeWhole(image, plan, options);
      clearProgress();
      await writeImage(to, result, { format, quality, tags, signal });
      return report;
    };
    // Never holds the whole image: a PNG may be larger than memory.
    const makeInStrips = async () => {
      const header = { ...size, depth, alpha: !isOpaque(image.data), tags };
      const { produced } = await savePng(
        header,
        () => openSink(to, signal),
        (write) => enlarge(image, plan, options, ({ data }) => write(data)),
        signal,
      );
      return produced;
    };
    const report = await (format === 'png' ? makeInStrips() : makeWhole());
    clearProgress();
    if (values.json) {
      const line = {
        backend: report.backend,
        adapter: backend.adapter,
        model: report.passes[0] ?? null,
        scale: factor,
        networkScale: report.networkScale,
        passes: report.passes,
        input: [image.width, image.height],
        output: [size.width, size.height],
        milliseconds: Math.round(report.milliseconds),
        tiles: report.tiles,
        tileSize: report.tileSize,
        statistics: report.statistics,
        approximate: report.approximate,
        precision: report.precision,
        threads: report.threads ?? null,
        slow: report.slow ?? false,
        recovered: report.recovered ?? [],
        depth,
        colorSpace: tags.colorSpace,
        animated,
        notes,
        assumptions,
      };
      say(JSON.stringify(line));
    } else {
      const seconds = (report.milliseconds / 1000).toFixed(1);
      const by = report.passes.join(', then ') || 'Lanczos';
      const name = to.kind === 'stdout' ? 'Standard output' : output;
      say(
        `${name}: ${size.width} x ${size.height}, ${by}, ${seconds} s on ${adapterName(backend.adapter)}`,
      );
      for (const note of notes) say(note);
      if (report.slow) say('Plain loops ran parts of the network, which is slow.');
      for (const recovery of new Set(report.recovered)) say(RECOVERIES[recovery]);
      for (const assumption of assumptions) say(`Assumed: ${assumption}.`);
    }
    if (report.backend === 'webgpu') await backend.tune(signal);
    return 0;
  } finally {
    clearProgress();
    backend.close();
  }
}

/** One pass per model, shared if a model runs again. */
function passesOf(backend: Backend, chain: readonly ChosenModel[], precision: Precision): Pass[] {
  const passes = new Map(chain.map((model) => [model, backend.pass(model, precision)]));
  return chain.map((model) => passes.get(model) as Pass);
}

/** @throws UsageError for options about unknown networks that are given for shipped ones. */
function checkKnown({ inputRange: _, ...wish }: NetworkWish): void {
  if (Object.values(wish).every((value) => value === undefined)) return;
  throw new UsageError(
    '--activation, --residual-scale and the like are for a file of --weights, without --model.',
  );
}

/**
 * The requested size; null for none. @throws UsageError for invalid numbers and for more than one
 * size.
 */
function sizeWishOf(values: {
  readonly scale?: string | undefined;
  readonly width?: string | undefined;
  readonly height?: string | undefined;
  readonly fit?: string | undefined;
}): SizeWish | null {
  const { scale, width, height, fit } = values;
  if ([scale, width, height, fit].filter((value) => value !== undefined).length > 1) {
    throw new UsageError('Give one of --scale, --width, --height and --fit.');
  }
  const rules = CALLS.upscale;
  if (width !== undefined) return { width: parsed('--width', width, rules.width) };
  if (height !== undefined) return { height: parsed('--height', height, rules.height) };
  if (fit !== undefined) {
    const [, w, h] = /^(\d+)x(\d+)$/i.exec(fit) ?? [];
    if (!w || !h) throw new UsageError(`--fit takes a box such as 4096x4096, not "${fit}".`);
    return {
      fit: { width: parsed('--fit', w, rules.width), height: parsed('--fit', h, rules.height) },
    };
  }
  if (scale === undefined) return null;
  return { scale: parsed('--scale', scale, rules.scale) };
}

/** @throws UsageError if the value is not a whole number from 1 to 100. */
function qualityOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return parsed('--quality', value, whole(1, 100));
}

/** The driver's description of itself, in one line. */
export function adapterName(adapter: AdapterReport | null): string {
  if (adapter === null) return 'the CPU';
  const name = adapter.description || adapter.device || adapter.architecture || adapter.vendor;
  return adapter.isFallbackAdapter ? `${name} (software, slow)` : name || 'the GPU';
}

function showProgress({ fraction, remainingMs }: Progress): void {
  if (!process.stderr.isTTY) return;
  const left = timeLeft(remainingMs);
  process.stderr.write(`\r\x1b[K${Math.floor(fraction * 100)} %${left && `, ${left}`}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
