import { ProgressMeter } from '../engine/progress.ts';
import { largestSource, wholeImage } from '../engine/tile/strips.ts';
import type { StripPlan } from '../engine/tile/tiler.ts';
import type {
  Strip,
  StripSink,
  UpscaleOptions,
  UpscaleReport,
  UpscaleResult,
} from '../engine/types.ts';
import { nonFinite, throwIfAborted } from '../errors.ts';
import { pixelsOf, type Rect, type Size } from '../geometry.ts';
import { paddingOf } from '../graph/analysis.ts';
import { checkImage, depthOf, type RgbaImage, samplesOf } from '../image/image.ts';
import type { CpuModel } from './model.ts';
import type { Means } from './tasks.ts';
import { Pooling, type TileRunner } from './tiles.ts';
import { TILE_SIDE } from './winograd.ts';

/** The default memory limit for a job, in bytes. */
const DEFAULT_BUDGET = 2 ** 30;

/**
 * A plan with more bands is used only if its estimated time is less than this fraction of the best
 * time so far. Bands overlap, so each additional band adds work.
 */
const WORTHWHILE = 0.9;

/**
 * Upscales an image and passes rows to `sink` when they are finished. The image is processed as a
 * whole if it fits into memory. Otherwise, it is processed in overlapping tiles. The overlap is the
 * radius of the network's receptive field, or less if that radius is large (see `tileOverlap`).
 * If there are tiles, the results of pooling ops (channel means) are computed first. They come from
 * the whole image if the part of the network that computes them fits into memory. Otherwise, or if
 * the option `statistics` is `estimated`, they come from a collage, which is a smaller image that
 * consists of parts of the whole image.
 *
 * The model's helpers, which are copies of it in other threads, share the work. An image that fits
 * into memory can be divided into bands that are processed at the same time. Pooling ops then
 * compute means over all bands together, so the result is identical to that of an undivided image.
 * If the image does not fit, the helpers share the tiles.
 *
 * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`, `NON_FINITE`, `INVALID_INPUT`; errors of the
 *   sink
 */
export async function upscaleStrips(
  model: CpuModel,
  image: RgbaImage,
  options: UpscaleOptions,
  sink: StripSink,
): Promise<UpscaleReport> {
  const { signal, onProgress, memoryBudget: budget = DEFAULT_BUDGET } = options;
  throwIfAborted(signal);
  checkImage(image, 4 * image.data.BYTES_PER_ELEMENT);
  const started = performance.now();
  const { network } = model;
  if (network.averagedTiles) {
    const { upscaleAveraged } = await import('./averaged.ts');
    return upscaleAveraged(model, image, { ...options, tiles: network.averagedTiles }, sink);
  }
  const cut = await plan(model, image, options, budget);
  const { strips, threads, whole } = cut;
  const tiles = strips.flatMap((strip) => strip.tiles);
  const meter = new ProgressMeter(
    tiles.reduce((sum, { source }) => sum + pixelsOf(source), 0) * model.work(),
    onProgress,
  );
  const onWork = (work: number) => meter.advance(work);
  let statistics: UpscaleReport['statistics'] = 'exact';
  let given: Means['given'];
  if (model.pools && !whole) {
    const { sampleMeans } = await import('./sample.ts');
    ({ statistics, given } = await sampleMeans(model, image, { ...options, meter, budget }));
  }
  await runTiles(model, image, { ...cut, signal, onWork, given, sink });
  meter.finish();
  const tile = largestSource(strips);
  return {
    ...model.report,
    milliseconds: performance.now() - started,
    tiles: tiles.length,
    tileSize: [tile.width, tile.height],
    statistics,
    approximate: cut.approximate && tiles.length > 1,
    threads: Math.max(threads, model.threads),
  };
}

interface Plan {
  readonly strips: readonly StripPlan[];
  /** The number of tiles that are processed concurrently. */
  readonly threads: number;
  /**
   * Whether the whole image is processed at once, either as a single tile or as bands. If not, the
   * channel means for pooling ops are computed in advance.
   */
  readonly whole: boolean;
  /** Returns a tile's pixels. */
  readonly region: (rect: Rect) => RgbaImage;
  /** Whether the tiles' results differ from those for the whole image. */
  readonly approximate: boolean;
}

/**
 * Plans how to cut an image into tiles. Together, the tiles that are processed at the same time
 * need at most `budget` bytes of memory.
 * @throws CrispenError `OUT_OF_MEMORY`
 */
async function plan(
  model: CpuModel,
  image: RgbaImage,
  { edge = 'zero', tileSize = Number.POSITIVE_INFINITY }: UpscaleOptions,
  budget: number,
): Promise<Plan> {
  const { network, helpers } = model;
  const { multiple, border } = paddingOf(network.graph);
  const bytes = (size: Size) => model.bytes(wholeImage(size, multiple).tiles[0].source);
  const side = Math.max(1, Math.floor(Math.min(tileSize, Number.MAX_SAFE_INTEGER)));
  const most = helpers.length + 1;
  const undivided = edge === 'zero' && Math.max(image.width, image.height) <= side;
  let best: Plan | null = null;
  if (undivided && !border && bytes(image) <= budget) {
    const strips = [wholeImage(image, multiple)];
    best = { strips, threads: 1, whole: true, region: () => image, approximate: false };
    if (most === 1) return best;
  }
  const { tilerFor } = await import('../engine/tile/tiler.ts');
  const make = border ? (await import('../engine/tile/bordered.ts')).around(tilerFor) : tilerFor;
  const tiler = make(image, network, edge, TILE_SIDE);
  const { region, approximate } = tiler;
  if (undivided) {
    const time = ({ strips }: Plan) => largestSource(strips).height;
    for (let count = border ? 1 : 2; count <= most && !approximate; count++) {
      const strips = tiler.bands(count);
      const total = strips.reduce((sum, { tiles: [{ source }] }) => sum + bytes(source), 0);
      const bands = { strips, threads: strips.length, whole: true, region, approximate };
      if (total <= budget && (!best || time(bands) < WORTHWHILE * time(best))) best = bands;
    }
    if (best) return best;
  }
  for (let threads = most; ; threads--) {
    try {
      const share = budget / threads;
      const strips = tiler.plan(side, (size) => bytes(size) <= share);
      return { strips, threads, whole: false, region, approximate };
    } catch (error) {
      if (threads === 1) throw error;
    }
  }
}

interface TileRun extends Plan {
  readonly signal: UpscaleOptions['signal'];
  readonly onWork: (work: number) => void;
  readonly given: Means['given'];
  readonly sink: StripSink;
}

/**
 * Runs the tiles in order, several at a time, and passes strips to the sink from top to bottom.
 * Keeps at most as many strips in memory as there are threads.
 */
async function runTiles(model: CpuModel, image: RgbaImage, run: TileRun): Promise<void> {
  const { strips, threads, whole, given, onWork } = run;
  const { scale } = model.network;
  const width = image.width * scale;
  // If one run fails, the other runs are stopped.
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  if (run.signal?.aborted) stop.abort();
  run.signal?.addEventListener('abort', onAbort);
  const pooling = model.pools && whole && strips.length > 1 ? new Pooling(strips.length) : null;
  let failure: unknown = null;
  const waiting: (() => void)[] = [];
  const change = () => new Promise<void>((resolve) => waiting.push(resolve));
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const fail = (error: unknown) => {
    failure ??= error;
    stop.abort();
    pooling?.fail(error);
    wake();
  };
  /** The strips, each with its pixels and the number of its tiles that are not finished yet. */
  const open = strips.map((strip) => ({
    ...strip,
    data: null as RgbaImage['data'] | null,
    left: strip.tiles.length,
  }));
  let delivered = 0;
  let delivering = Promise.resolve();
  const deliver = () => {
    delivering = delivering.then(async () => {
      for (; open[delivered]?.left === 0; delivered++) {
        const { y, height, data } = open[delivered];
        open[delivered].data = null;
        throwIfAborted(stop.signal);
        await run.sink({ width, height: height * scale, data, y: y * scale } as Strip);
      }
    });
    return delivering;
  };
  const queue = open.flatMap((strip, index) =>
    strip.tiles.map((tile) => ({ ...tile, strip, index })),
  );
  let next = 0;
  const work = async (runner: TileRunner) => {
    while (next < queue.length && !stop.signal.aborted) {
      const { core, source, strip, index } = queue[next++];
      while (index - delivered >= threads && !stop.signal.aborted) await change();
      strip.data ??= samplesOf(depthOf(image), width * strip.height * scale);
      const { data } = strip;
      const region = run.region(source);
      const [x, y] = [core.x - source.x, core.y - source.y];
      const offset = ((core.y - strip.y) * width + core.x) * scale * 4;
      const band = pooling
        ? {
            // The padding rows above the image belong to the first band, and those below it to the
            // last.
            from: index ? y : 0,
            to: index + 1 < strips.length ? y + core.height : source.height,
            combine: pooling.combine(index),
          }
        : undefined;
      const finite = await runner.run(
        region,
        source,
        { core: { ...core, x, y }, to: { data, offset, width } },
        { signal: stop.signal, onWork, means: { given, band } },
      );
      if (!finite) throw nonFinite();
      strip.left--;
      await deliver();
      wake();
    }
  };
  try {
    // The helpers start first, because the model keeps this thread busy once it runs.
    const runners = [...model.helpers.slice(0, threads - 1), model];
    await Promise.all(runners.map((runner) => work(runner).catch(fail)));
  } finally {
    run.signal?.removeEventListener('abort', onAbort);
  }
  throwIfAborted(run.signal);
  if (failure) throw failure;
}

/** Upscales a whole image. @throws the errors of `upscaleStrips` */
export async function upscale<T extends RgbaImage>(
  model: CpuModel,
  image: T,
  options: UpscaleOptions = {},
): Promise<UpscaleResult<T>> {
  const { scale } = model.network;
  const [width, height] = [image.width * scale, image.height * scale];
  let data: RgbaImage['data'] | undefined;
  const report = await upscaleStrips(model, image, options, (strip) => {
    if (strip.height === height) data = strip.data;
    else {
      data ??= samplesOf(depthOf(image), width * height);
      data.set(strip.data, strip.y * width * 4);
    }
  });
  return { image: { width, height, data } as unknown as T, report };
}
