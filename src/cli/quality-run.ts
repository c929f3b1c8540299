import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { around } from '../engine/tile/bordered.ts';
import { tilerFor } from '../engine/tile/tiler.ts';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import { compareLuma } from '../metrics/index.ts';
import { type Line, seamSteps } from '../metrics/seams.ts';
import type { Network } from '../networks/network.ts';
import { DEVICES, type Measurer, openBackend, type TilingChoice } from '../node/backend.ts';
import { readImage } from '../node/images.ts';
import { type ChosenModel, chooseModel } from '../node/model.ts';
import { fromFloat32 } from '../weights/convert.ts';
import { elementCount, type Tensor } from '../weights/tensor.ts';
import { choice, positiveInteger, positiveNumber, UsageError } from './command.ts';
import { cropTo, findPairs, type ImagePair } from './dataset.ts';
import { type Degradation, degrade } from './degrade.ts';
import { TILING_OPTIONS, TILING_USAGE, tilingOf } from './tiling.ts';
import { openTorch } from './torch.ts';

export const QUALITY_USAGE = `
npm run quality -- --dataset DIR --scale N [options]

Measures PSNR and SSIM of a model over HR/LR pairs (DIR/HR/NAME.png, DIR/LR_bicubic/X2/NAMEx2.png):
on unrounded BT.601 Y, with N pixels shaved at every border and 8-bit output, next to bicubic. For a
model of scale 1, the input is the ground truth degraded by --jpeg or --noise, and replaces bicubic.

  --dataset DIR    the folder of the data set
  --scale N        1, 2, 3 or 4 (default: the model's, or else 2)
  --model ID       a shipped model (default: the photo model of the scale)
  --weights FILE   a weight file of a network that Crispen knows (.safetensors, .pth, .pt, .ckpt)
  --input-range N  the largest value of the network's input, if it is not the usual 1 or 255
  --images N       only the first N images
  --jpeg Q         first save the input as JPEG of this quality (4:2:0)
  --without NAMES  set the weights with these names, a regular expression, to zero: what a part of the
                   network is worth
  --noise S        first add white noise of this standard deviation, in levels
  --device NAME    auto (default: a GPU, or else the CPU), gpu, cpu, oracle (plain loops), or torch:
                   PyTorch on the CPU, as a second opinion
${TILING_USAGE}
  --statistics S   exact or estimated: statistics of the whole image for networks in tiles (default
                   exact, if the memory allows it)
  --seams          with --tile: also run each image in one piece, and print its PSNR and the mean steps
                   of both across tile borders and across interior lines
  --resume FILE    keep each result in FILE and skip results from an earlier run
  --json           JSON lines {image, scale, model, psnr, ssim, bicubicPsnr, bicubicSsim}; with --seams
                   also {wholePsnr, border, interior, wholeBorder, wholeInterior}
  --help           this text
`;

/** One line of the report. In the last line, `image` is `mean`. */
export interface QualityLine {
  readonly image: string;
  readonly scale: number;
  readonly model: string;
  /** The PSNR in dB. */
  readonly psnr: number;
  readonly ssim: number;
  readonly bicubicPsnr: number;
  readonly bicubicSsim: number;
  /** The PSNR in dB when the image is enlarged without tiles. */
  readonly wholePsnr?: number;
  /**
   * The mean difference, in 8-bit levels, between neighbouring pixels on opposite sides of a tile
   * border; see metrics/seams.ts. `interior` is the same measure for nearby lines that are not tile
   * borders.
   */
  readonly border?: number;
  readonly interior?: number;
  /**
   * `wholeBorder` and `wholeInterior` are measured on the same lines as `border` and `interior`,
   * but in the image that is enlarged without tiles.
   */
  readonly wholeBorder?: number;
  readonly wholeInterior?: number;
}

const METRICS = ['psnr', 'ssim', 'bicubicPsnr', 'bicubicSsim'] as const;
const SEAM_METRICS = ['wholePsnr', 'border', 'interior', 'wholeBorder', 'wholeInterior'] as const;

/** Runs the command `quality`. */
export async function qualityCommand(args: string[], signal?: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      dataset: { type: 'string' },
      scale: { type: 'string' },
      model: { type: 'string' },
      weights: { type: 'string' },
      'input-range': { type: 'string' },
      images: { type: 'string' },
      jpeg: { type: 'string' },
      noise: { type: 'string' },
      without: { type: 'string' },
      device: { type: 'string', default: 'auto' },
      ...TILING_OPTIONS,
      seams: { type: 'boolean', default: false },
      resume: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.dataset === undefined) throw new UsageError('--dataset is missing.');
  const device = choice('--device', values.device, MEASURERS);
  const scale = positiveInteger('--scale', values.scale);
  const limit = positiveInteger('--images', values.images);
  const chosen = await chooseModel({
    model: values.model,
    weights: values.weights,
    scale,
    wish: { inputRange: positiveNumber('--input-range', values['input-range']) },
  });
  const model = values.without === undefined ? chosen : withoutWeights(chosen, values.without);
  const worse = {
    jpeg: positiveInteger('--jpeg', values.jpeg),
    noise: positiveInteger('--noise', values.noise),
  };
  const print = (line: QualityLine): void =>
    values.json ? console.log(JSON.stringify(line)) : printRow(line);
  if (!values.json) console.log(heading(model.network.scale));
  const tiling = tilingOf(values, device);
  if (
    values.seams &&
    (tiling.tileSize === undefined || device === 'oracle' || device === 'torch')
  ) {
    throw new UsageError('--seams needs --tile, and the device gpu or cpu.');
  }
  const backend = await openMeasurer(device, tiling);
  try {
    const { dataset, seams, resume } = values;
    const measuring = { model, dataset, limit, worse, tiling, seams, resume, signal };
    print(await measureModel(backend, { ...measuring, onLine: print }));
  } finally {
    backend.close();
  }
  return 0;
}

/**
 * Returns a copy of the model with zeros for each weight whose name matches the pattern `names`.
 * @throws UsageError if `names` is not a regular expression or if it matches no weight's name.
 */
function withoutWeights(model: ChosenModel, names: string): ChosenModel {
  let pattern: RegExp;
  try {
    pattern = new RegExp(names);
  } catch {
    throw new UsageError(`--without takes a regular expression; ${names} is none.`);
  }
  const off = [...model.weights].filter(([name]) => pattern.test(name));
  if (off.length === 0) {
    const [example] = model.weights.keys();
    throw new UsageError(`--without ${names} matches no weight, such as ${example}.`);
  }
  const zeros = off.map(([name, { shape }]): [string, Tensor] => {
    return [name, fromFloat32(new Float32Array(elementCount(shape)), shape, 'f32')];
  });
  return {
    ...model,
    name: `${model.name} without ${names}`,
    weights: new Map([...model.weights, ...zeros]),
    sha256: `${model.sha256} without ${names}`,
  };
}

/** The values of `--device` in the commands that measure quality. */
export const MEASURERS = [...DEVICES, 'oracle', 'torch'] as const;

/**
 * Opens the device that `--device` selects.
 * @throws UsageError for tiling options with PyTorch, and the errors of `openBackend` and
 *   `openTorch`
 */
export async function openMeasurer(
  device: (typeof MEASURERS)[number],
  tiling: TilingChoice = {},
): Promise<Measurer> {
  if (device !== 'torch') return openBackend(device, tiling);
  if (Object.values(tiling).some((value) => value !== undefined)) {
    throw new UsageError(
      'PyTorch runs whole images only, without --tile, --memory or --statistics.',
    );
  }
  return openTorch();
}

type Upscale = Awaited<ReturnType<Measurer['load']>>;

export interface Measuring {
  readonly model: ChosenModel;
  /** The folder of the data set. */
  readonly dataset: string;
  /** The number of images to measure, starting with the first. */
  readonly limit?: number | undefined;
  readonly worse: Degradation;
  /** The tiling options that the backend was opened with. */
  readonly tiling?: TilingChoice | undefined;
  /** Whether to compare the tiled result with a result that is computed without tiles. */
  readonly seams?: boolean;
  /** A file of earlier results. New results are appended to it. */
  readonly resume?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onLine: (line: QualityLine) => void;
}

/** Measures a model on a data set. @returns the means over all images. */
export async function measureModel(
  backend: Measurer,
  { model, dataset, limit, worse, tiling = {}, seams = false, resume, signal, onLine }: Measuring,
): Promise<QualityLine> {
  const { name, network, weights } = model;
  const { scale } = network;
  const results = new ResultFile(resume, {
    dataset: basename(resolve(dataset)),
    scale,
    network: network.architecture,
    range: network.inputRange,
    weights: model.sha256,
    device: backend.device,
    jpeg: worse.jpeg,
    noise: worse.noise,
    tileSize: tiling.tileSize,
    memoryBudget: tiling.memoryBudget,
    edge: tiling.edge,
    statistics: tiling.statistics,
    seams: seams || undefined,
  });
  const cut = seams ? tiling.tileSize : undefined;
  const lines: QualityLine[] = [];
  let upscale: Upscale | undefined;
  for (const pair of findPairs(dataset, scale).slice(0, limit)) {
    let measures = results.find(pair.name);
    const isNew = measures === undefined;
    if (!measures) {
      upscale ??= await backend.load(network, weights);
      measures = await measure(pair, { network, worse, upscale, cut, signal });
    }
    const line = { image: pair.name, scale, model: name, ...measures };
    if (isNew) results.append(line);
    lines.push(line);
    onLine(line);
  }
  return mean(lines);
}

type Measures = Pick<QualityLine, (typeof METRICS | typeof SEAM_METRICS)[number]>;

/** Measures the PSNR and SSIM of the network and of bicubic interpolation for one pair. */
async function measure(
  pair: ImagePair,
  {
    network,
    worse,
    upscale,
    cut,
    signal,
  }: Pick<Measuring, 'worse' | 'signal'> & {
    readonly network: Network;
    readonly upscale: Upscale;
    /**
     * The side of the tiles. If it is set, the tiled result is compared with a result that is
     * computed without tiles.
     */
    readonly cut: number | undefined;
  },
): Promise<Measures> {
  const { scale } = network;
  const lr = await degrade(await readImage(pair.lr), worse);
  const [width, height] = [lr.width * scale, lr.height * scale];
  const hr = cropTo(await readImage(pair.hr), width, height);
  const { image: sr, report } = await upscale(lr, { signal });
  const bicubic = compareLuma(resample(lr, width, height, 'bicubic'), hr, scale);
  const measures = {
    ...compareLuma(sr, hr, scale),
    bicubicPsnr: bicubic.psnr,
    bicubicSsim: bicubic.ssim,
  };
  if (cut === undefined || !report) return measures;
  const borders = tileBorders(lr, network, cut, report.tiles);
  const { image: whole } = await upscale(lr, { tileSize: undefined, statistics: 'exact', signal });
  const smooth = seamSteps(whole, borders, scale);
  return {
    ...measures,
    wholePsnr: compareLuma(whole, hr, scale).psnr,
    ...seamSteps(sr, borders, scale),
    wholeBorder: smooth.border,
    wholeInterior: smooth.interior,
  };
}

/**
 * Returns the tile borders in the enlarged image.
 * @throws UsageError if the image was computed as a single tile, or if its tiles were smaller than
 *   `side`, which happens when memory is short.
 */
function tileBorders(lr: Rgba8Image, network: Network, side: number, made: number): Line[] {
  const strips = around(tilerFor)(lr, network, 'zero').plan(side, () => true);
  const { tiles } = strips[0];
  if (made === 1 || made !== strips.length * tiles.length) {
    throw new UsageError(
      `--seams needs more than one tile, of the size that --tile says; got ${made}.`,
    );
  }
  const at = (starts: readonly number[]) => starts.slice(1).map((start) => start * network.scale);
  return [
    ...at(tiles.map(({ core }) => core.x)).map((x): Line => ({ axis: 'x', at: x })),
    ...at(strips.map(({ y }) => y)).map((y): Line => ({ axis: 'y', at: y })),
  ];
}

/** Returns the mean of each measure over all images. */
function mean(lines: readonly QualityLine[]): QualityLine {
  const [first] = lines;
  if (!first) throw new CrispenError('INVALID_INPUT', 'There are no results to average.');
  const { scale, model } = first;
  const metrics = [...METRICS, ...SEAM_METRICS].filter((metric) => first[metric] !== undefined);
  const means = metrics.map((metric) => [
    metric,
    lines.reduce((sum, line) => sum + (line[metric] as number), 0) / lines.length,
  ]);
  return { image: 'mean', scale, model, ...(Object.fromEntries(means) as Measures) };
}

/** Identifies a run. A result from the result file is reused only if all these values match. */
type RunKey = Readonly<
  Record<
    | keyof Degradation
    | keyof TilingChoice
    | 'dataset'
    | 'scale'
    | 'network'
    | 'range'
    | 'weights'
    | 'device'
    | 'seams',
    string | number | boolean | undefined
  >
>;

/** A file with one JSON line per result, so that a run that takes hours can be resumed. */
class ResultFile {
  readonly #path: string | undefined;
  readonly #key: RunKey;
  readonly #measures = new Map<string, Measures>();

  constructor(path: string | undefined, key: RunKey) {
    this.#path = path;
    this.#key = key;
    if (path === undefined || !existsSync(path)) return;
    const metrics = [...METRICS, ...(key.seams ? SEAM_METRICS : [])];
    for (const text of readFileSync(path, 'utf8').split('\n')) {
      const line = parseLine(text);
      if (!line || !Object.entries(key).every(([name, value]) => line[name] === value)) continue;
      const found = Object.fromEntries(metrics.map((metric) => [metric, line[metric]]));
      this.#measures.set(String(line.image), found as unknown as Measures);
    }
  }

  find(image: string): Measures | undefined {
    return this.#measures.get(image);
  }

  append(line: QualityLine): void {
    if (this.#path === undefined) return;
    appendFileSync(this.#path, `${JSON.stringify({ ...line, ...this.#key })}\n`);
  }
}

/**
 * Parses a line of the result file. Returns null if one of the `METRICS` is missing or if the line
 * is cut off, for example because the run was killed.
 */
function parseLine(text: string): Record<string, unknown> | null {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line !== 'object' || line === null) return null;
    const record = line as Record<string, unknown>;
    return METRICS.every((name) => typeof record[name] === 'number') ? record : null;
  } catch {
    return null;
  }
}

/**
 * Returns the table heading. At scale 1, nothing is resized, so results are compared with the input
 * and not with bicubic interpolation.
 */
function heading(scale: number): string {
  const beside = scale === 1 ? 'input  ' : 'bicubic';
  return `${'image'.padEnd(20)} ${'PSNR'.padStart(9)} ${'SSIM'.padStart(8)}   ${beside} ${'PSNR'.padStart(9)} ${'SSIM'.padStart(8)}`;
}

function printRow(line: QualityLine): void {
  const db = (value: number): string => value.toFixed(4).padStart(9);
  const ratio = (value: number): string => value.toFixed(5).padStart(8);
  console.log(
    `${line.image.padEnd(20)} ${db(line.psnr)} ${ratio(line.ssim)}           ${db(line.bicubicPsnr)} ${ratio(line.bicubicSsim)}`,
  );
  const { wholePsnr, border, interior, wholeBorder, wholeInterior } = line as Required<QualityLine>;
  if (wholePsnr === undefined) return;
  const [own, whole] = [border / interior, wholeBorder / wholeInterior];
  console.log(
    `  in one piece ${db(wholePsnr)}; borders step ${own.toFixed(4)} of interior lines, ${whole.toFixed(4)} in one piece, ratio ${(own / whole).toFixed(4)}`,
  );
}
