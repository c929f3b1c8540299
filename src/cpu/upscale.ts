import { ProgressMeter } from '../engine/progress.ts';
import { samplesOf } from '../engine/tile/collage.ts';
import { largestSource, wholeImage } from '../engine/tile/strips.ts';
import { type StripPlan, tilerFor } from '../engine/tile/tiler.ts';
import type {
  Strip,
  StripSink,
  UpscaleOptions,
  UpscaleReport,
  UpscaleResult,
} from '../engine/types.ts';
import { CrispenError, nonFinite, throwIfAborted } from '../errors.ts';
import { pixelsOf, type Size } from '../geometry.ts';
import { sizeMultiple } from '../graph/analysis.ts';
import { depthOf, type RgbaImage } from '../image/image.ts';
import type { Means } from './compile.ts';
import type { CpuModel } from './model.ts';

/** Bytes that a job may take, unless it says otherwise. */
const DEFAULT_BUDGET = 2 ** 30;

/**
 * Upscales an image and hands over its rows as they get done. The image is run whole where the memory
 * allows, else in tiles whose overlap is the network's reach. Means over the image are of the whole
 * image where the part of the network that leads to them fits, else of a collage of its parts.
 *
 * @throws CrispenError `ABORTED`, `OUT_OF_MEMORY`, `NON_FINITE`, `INVALID_INPUT`; what the sink throws
 */
export async function upscaleStrips(
  model: CpuModel,
  image: RgbaImage,
  options: UpscaleOptions,
  sink: StripSink,
): Promise<UpscaleReport> {
  const { signal, onProgress, edge = 'zero', tileSize = Number.POSITIVE_INFINITY } = options;
  throwIfAborted(signal);
  checkImage(image);
  const started = performance.now();
  const { network } = model;
  const { scale } = network;
  const multiple = sizeMultiple(network.graph);
  const budget = options.memoryBudget ?? DEFAULT_BUDGET;
  const cells = ({ width, height }: Size): Size =>
    wholeImage({ width, height }, multiple).tiles[0].source;
  const fits = (size: Size, part: 'all' | 'pooling' = 'all') =>
    model.bytes(cells(size), part) <= budget;
  const side = Math.max(1, Math.floor(Math.min(tileSize, Number.MAX_SAFE_INTEGER)));
  const whole = edge === 'zero' && Math.max(image.width, image.height) <= side && fits(image);
  const tiler = tilerFor(image, network, edge);
  const strips: readonly StripPlan[] = whole
    ? [wholeImage(image, multiple)]
    : tiler.plan(side, (width, height) => fits({ width, height }));
  const tiles = strips.flatMap((strip) => strip.tiles);
  const meter = new ProgressMeter(
    tiles.reduce((sum, { source }) => sum + pixelsOf(source), 0) * model.work(),
    onProgress,
  );
  const running = { signal, onWork: (work: number) => meter.advance(work) };
  let statistics: UpscaleReport['statistics'] = 'exact';
  let given: Means['given'];
  if (model.pools && !whole) {
    const samples = samplesOf(image, multiple, (size) => fits(size, 'pooling'), options.statistics);
    const [sample] = samples;
    statistics = sample.kind;
    const size = cells(sample.image);
    meter.expect(pixelsOf(size) * model.work('pooling'));
    given = await model.means(sample.image, size, running);
  }
  for (const strip of strips) {
    const width = image.width * scale;
    const samples = width * strip.height * scale * 4;
    const data = depthOf(image) === 16 ? new Uint16Array(samples) : new Uint8ClampedArray(samples);
    for (const { core, source } of strip.tiles) {
      const region = whole ? image : tiler.region(source);
      const finite = await model.run(
        region,
        source,
        {
          core: { ...core, x: core.x - source.x, y: core.y - source.y },
          to: { data, offset: ((core.y - strip.y) * width + core.x) * scale * 4, width },
        },
        { ...running, means: { given } },
      );
      if (!finite) throw nonFinite();
    }
    await sink({ width, height: strip.height * scale, data, y: strip.y * scale } as Strip);
  }
  meter.finish();
  const tile = largestSource(strips);
  return {
    backend: 'cpu',
    milliseconds: performance.now() - started,
    tiles: tiles.length,
    tileSize: [tile.width, tile.height],
    statistics,
    approximate: tiler.approximate && tiles.length > 1,
    gpuBytes: 0,
    dispatches: 0,
    precision: 'f32',
  };
}

/** Upscales an image as a whole. @throws as `upscaleStrips` */
export async function upscale<T extends RgbaImage>(
  model: CpuModel,
  image: T,
  options: UpscaleOptions = {},
): Promise<UpscaleResult<T>> {
  const strips: Strip[] = [];
  const report = await upscaleStrips(model, image, options, (strip) => {
    strips.push(strip);
  });
  const [first] = strips;
  const { width } = first;
  if (strips.length === 1) {
    return { image: { width, height: first.height, data: first.data } as unknown as T, report };
  }
  const height = image.height * model.network.scale;
  const data = new (first.data.constructor as Uint8ClampedArrayConstructor)(width * height * 4);
  for (const strip of strips) data.set(strip.data, strip.y * width * 4);
  return { image: { width, height, data } as unknown as T, report };
}

function checkImage({ width, height, data }: RgbaImage): void {
  const sound = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!sound || data.length !== width * height * 4) {
    throw new CrispenError(
      'INVALID_INPUT',
      `An image of ${width} x ${height} cannot have ${data.length} samples of RGBA.`,
    );
  }
}
