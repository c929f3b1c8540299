/**
 * Produces the result for an image by running networks and then resizing their output to the
 * requested size. Alpha is resized separately, grey images stay grey, and samples have 8 or 16
 * bits.
 */
import { throwIfAborted } from '../../errors.ts';
import type { Size } from '../../geometry.ts';
import { type Depth, depthOf, type RgbaImage, type Samples } from '../../image/image.ts';
import { OneColour } from '../../image/oneColour.ts';
import { isGrey, isOpaque, toRgba8 } from '../../image/pixels.ts';
import type { Device, DeviceSource } from '../gpu/device.ts';
import { ProgressMeter } from '../progress.ts';
import type { Progress, Strip, StripSink, UpscaleOptions, UpscaleReport } from '../types.ts';
import type { RowResizer } from './resize.ts';
import { WholeImage } from './wholeImage.ts';

/** One run of a network on an image. The result has as many bits per sample as the image. */
export interface Pass {
  /** The id of the model, for the report. */
  readonly model: string;
  readonly scale: number;
  readonly run: (
    image: RgbaImage,
    options: UpscaleOptions,
    sink: StripSink,
  ) => Promise<UpscaleReport>;
}

export interface EnlargePlan {
  /** The size of the result, which can be larger or smaller than the last pass's output. */
  readonly size: Size;
  /** The number of bits per sample of the result. */
  readonly depth: Depth;
  /** The passes in order. If there are none, the image is only resized with a Lanczos filter. */
  readonly passes: readonly Pass[];
  /** The device that resizes alpha and the result. If null, the CPU resizes them. */
  readonly device: Device | DeviceSource | null;
}

export interface EnlargeReport extends UpscaleReport {
  /** The product of the passes' scales, or 1 if there are no passes. */
  readonly networkScale: number;
  /**
   * The ids of the models in the order in which they ran. The list is empty if there are no passes.
   */
  readonly passes: readonly string[];
}

/**
 * Enlarges or reduces an image to the plan's size, and passes rows to `sink` as they are finished.
 *
 * The networks receive opaque colours (`opaqueColours`) and no alpha. The image's own alpha is
 * enlarged with Lanczos. A grey image (`R = G = B` in all visible pixels) stays grey, because all
 * three channels receive the luma of the network's output. Every pass except the last holds its
 * whole result in memory. The results of the last pass and of the final resize are produced strip
 * by strip. After each pass and after the resize, colours are rounded to 8 or 16 bits.
 *
 * @throws CrispenError with the codes that `Engine.upscale` uses, or `BLANK_RESULT` if `checkBlank`
 *   (image/blank.ts) rejects the result of a pass. Each result is checked after its last row.
 *   Errors that the sink throws are passed on.
 */
export async function enlarge(
  image: RgbaImage,
  { size, depth, passes, device }: EnlargePlan,
  options: UpscaleOptions,
  sink: StripSink,
): Promise<EnlargeReport> {
  throwIfAborted(options.signal);
  const started = performance.now();
  const source = passes.length > 0 && depth === 16 ? widened(image) : image;
  const depthIn = depthOf(source);
  const networkScale = passes.reduce((product, pass) => product * pass.scale, 1);
  const whole = { width: image.width * networkScale, height: image.height * networkScale };
  const exact = passes.length > 0 && whole.width === size.width && whole.height === size.height;
  const costs = costsOf(passes, image);
  const resizeCost = exact ? 0 : (size.width * size.height) / 10;
  const meter = new ProgressMeter(
    costs.reduce((a, b) => a + b, resizeCost),
    options.onProgress,
  );
  const opened: RowResizer[] = [];
  const open = async (from: Size, to: Size, depthOut: Depth): Promise<RowResizer> => {
    // The resizer is loaded lazily, because opaque images at a network's own scale do not need it.
    const { RowResizer } = await import('./resize.ts');
    const resizer = await RowResizer.open({ from, to, depthIn, depthOut, device });
    opened.push(resizer);
    return resizer;
  };

  let y = 0;
  const deliver = async (rows: Samples): Promise<void> => {
    throwIfAborted(options.signal);
    const made = { width: size.width, height: rows.length / 4 / size.width, data: rows };
    await sink({ ...(depth === 8 ? toRgba8(made as RgbaImage) : made), y } as Strip);
    y += made.height;
  };
  try {
    const resizer = exact ? null : await open(passes.length > 0 ? whole : image, size, depth);
    const finish = async (rows: Samples): Promise<void> => {
      if (!resizer) return deliver(rows);
      for await (const made of resizer.push(rows)) {
        meter.advance((made.length / (size.width * size.height * 4)) * resizeCost);
        await deliver(made);
      }
    };
    const reports: UpscaleReport[] = [];
    if (passes.length === 0) await finish(image.data);
    else {
      const opaque = isOpaque(source.data);
      // The module fill.ts is loaded lazily, like the resizer.
      let current = opaque ? source : (await import('../../image/fill.ts')).opaqueColours(source);
      // Invisible pixels do not affect this test, because in `current` they have the colours of
      // nearby visible pixels.
      const grey = isGrey(current.data);
      const alpha = opaque ? null : new AlphaRows(await open(source, whole, depthIn), source);
      for (const [i, pass] of passes.entries()) {
        const next =
          i < passes.length - 1 ? new WholeImage({ ...current, depth: depthIn }, pass.scale) : null;
        const onProgress = partOf(meter, costs[i]);
        const seen = new OneColour();
        const report = await pass.run(current, { ...options, onProgress }, async ({ data }) => {
          seen.add(data);
          if (grey) toLuma(data);
          if (next) return next.add(data);
          await alpha?.apply(data);
          await finish(data);
        });
        if (seen.colour) {
          const { checkBlank } = await import('../../image/blank.ts');
          checkBlank(current, seen.colour);
        }
        reports.push(report);
        if (next) current = next.image;
      }
    }
    meter.finish();
    return {
      ...summed(reports, device),
      milliseconds: performance.now() - started,
      networkScale,
      passes: passes.map(({ model }) => model),
    };
  } finally {
    for (const resizer of opened) resizer.destroy();
  }
}

/** Works like `enlarge`, but returns the result as one image. */
export async function enlargeWhole(
  image: RgbaImage,
  plan: EnlargePlan,
  options: UpscaleOptions = {},
): Promise<{ readonly image: RgbaImage; readonly report: EnlargeReport }> {
  const whole = new WholeImage({ ...plan.size, depth: plan.depth }, 1);
  const report = await enlarge(image, plan, options, ({ data }) => whole.add(data));
  return { image: whole.image, report };
}

/** The alpha of an image, resized row by row. */
class AlphaRows {
  readonly #rows: AsyncGenerator<Samples>;
  #current: Samples = new Uint8ClampedArray(0);
  #at = 0;

  constructor(resizer: RowResizer, { data }: RgbaImage) {
    this.#rows = resizer.push(data);
  }

  /** Sets the alpha values in the next rows of the enlarged image. */
  async apply(rows: Samples): Promise<void> {
    for (let i = 3; i < rows.length; i += 4) {
      if (this.#at === this.#current.length) {
        this.#current = (await this.#rows.next()).value as Samples;
        this.#at = 0;
      }
      rows[i] = this.#current[this.#at + 3];
      this.#at += 4;
    }
  }
}

/** Replaces the three colour values of every pixel with the pixel's BT.601 luma. */
function toLuma(rows: Samples): void {
  for (let i = 0; i < rows.length; i += 4) {
    const luma = Math.round(0.299 * rows[i] + 0.587 * rows[i + 1] + 0.114 * rows[i + 2]);
    rows[i] = rows[i + 1] = rows[i + 2] = luma;
  }
}

/** Returns the image with 16 bits per sample. */
function widened(image: RgbaImage): RgbaImage {
  if (image.data instanceof Uint16Array) return image as RgbaImage;
  const { width, height } = image;
  return { width, height, data: Uint16Array.from(image.data, (v) => v * 257) };
}

/**
 * Returns the relative cost of each pass, estimated from the number of pixels that it reads and
 * writes.
 */
function costsOf(passes: readonly Pass[], { width, height }: Size): number[] {
  let pixels = width * height;
  return passes.map(({ scale }) => {
    const cost = pixels * (2 + scale ** 2);
    pixels *= scale ** 2;
    return cost;
  });
}

/**
 * Creates a progress callback for one pass. The callback adds the pass's progress, weighted by
 * `cost`, to the progress of the whole job.
 */
function partOf(meter: ProgressMeter, cost: number): (progress: Progress) => void {
  let told = 0;
  return ({ fraction }) => {
    meter.advance((fraction - told) * cost);
    told = fraction;
  };
}

/**
 * Combines the reports of several runs. Tile counts and sizes are taken from the last run. A result
 * is exact only if all runs were exact.
 */
function summed(reports: readonly UpscaleReport[], device: EnlargePlan['device']): UpscaleReport {
  const last: UpscaleReport = reports.at(-1) ?? {
    backend: device ? 'webgpu' : 'cpu',
    milliseconds: 0,
    tiles: 1,
    tileSize: [0, 0],
    gpuBytes: 0,
    dispatches: 0,
    statistics: 'exact',
    approximate: false,
    precision: 'f32',
  };
  return {
    ...last,
    statistics: reports.every(({ statistics }) => statistics === 'exact') ? 'exact' : 'estimated',
    approximate: reports.some(({ approximate }) => approximate),
    gpuBytes: Math.max(0, ...reports.map(({ gpuBytes }) => gpuBytes)),
    dispatches: reports.reduce((sum, { dispatches }) => sum + dispatches, 0),
    ...(reports.some(({ slow }) => slow) && { slow: true }),
    recovered: reports.flatMap(({ recovered = [] }) => recovered),
  };
}
