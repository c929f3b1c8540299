import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CrispenError } from '../errors.ts';
import { resample } from '../image/resample.ts';
import { compareLuma } from '../metrics/index.ts';
import { DEVICES, openBackend, type UpscaleFunction } from './backend.ts';
import { choice, inputRangeOf, positiveInteger, UsageError } from './command.ts';
import { cropTo, findPairs, type ImagePair } from './dataset.ts';
import { readImage } from './images.ts';
import { chooseModel } from './model.ts';

export const QUALITY_USAGE = `
npm run quality -- --dataset DIR --scale N [options]

Measures PSNR and SSIM of a model over HR/LR pairs (DIR/HR/NAME.png, DIR/LR_bicubic/X2/NAMEx2.png):
on unrounded BT.601 Y, N pixels shaved at every border, 8-bit output, bicubic beside it.

  --dataset DIR    the folder of the data set
  --scale N        2, 3 or 4 (default: the model's, else 2)
  --model ID       a shipped model (default: the photo model of the scale)
  --weights FILE   a weight file of a network that Crispen knows (.safetensors, .pth, .pt, .ckpt)
  --input-range N  the largest value of the network's input, where it is not the usual 1 or 255
  --images N       the first N images only
  --device NAME    gpu or cpu (default gpu)
  --resume FILE    keep each result in FILE and skip what is there from an earlier run
  --json           JSON lines {image, scale, model, psnr, ssim, bicubicPsnr, bicubicSsim}
  --help           this text
`;

/** One line of the report; the last one has the name `mean`. */
export interface QualityLine {
  readonly image: string;
  readonly scale: number;
  readonly model: string;
  /** dB */
  readonly psnr: number;
  readonly ssim: number;
  readonly bicubicPsnr: number;
  readonly bicubicSsim: number;
}

const METRICS = ['psnr', 'ssim', 'bicubicPsnr', 'bicubicSsim'] as const;

/** The command `quality`. */
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
      device: { type: 'string', default: 'gpu' },
      resume: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.dataset === undefined) throw new UsageError('--dataset is missing.');
  const device = choice('--device', values.device, DEVICES);
  const wantedScale =
    values.scale === undefined ? undefined : positiveInteger('--scale', values.scale);
  const limit =
    values.images === undefined ? undefined : positiveInteger('--images', values.images);
  const model = await chooseModel({
    model: values.model,
    weights: values.weights,
    scale: wantedScale,
    inputRange: inputRangeOf(values['input-range']),
  });
  const { scale } = model.network;
  const pairs = findPairs(values.dataset, scale).slice(0, limit);

  const results = new ResultFile(values.resume, {
    dataset: basename(resolve(values.dataset)),
    scale,
    network: model.network.architecture,
    weights: model.sha256,
    device,
  });
  const print = values.json ? printJson : printRow;
  if (!values.json) console.log(HEADING);

  const lines: QualityLine[] = [];
  const backend = await openBackend(device);
  try {
    let upscale: UpscaleFunction | undefined;
    for (const pair of pairs) {
      let line = results.find(pair.name, model.name);
      if (!line) {
        upscale ??= await backend.load(model.network, model.weights);
        line = {
          image: pair.name,
          scale,
          model: model.name,
          ...(await measure(pair, scale, upscale, signal)),
        };
        results.append(line);
      }
      lines.push(line);
      print(line);
    }
  } finally {
    backend.close();
  }
  print(mean(lines));
  return 0;
}

type Measures = Pick<QualityLine, (typeof METRICS)[number]>;

/** PSNR and SSIM of the network and of bicubic on one pair. */
async function measure(
  pair: ImagePair,
  scale: number,
  upscale: UpscaleFunction,
  signal: AbortSignal | undefined,
): Promise<Measures> {
  const lr = await readImage(pair.lr);
  const [width, height] = [lr.width * scale, lr.height * scale];
  const hr = cropTo(await readImage(pair.hr), width, height);
  const sr = compareLuma((await upscale(lr, { signal })).image, hr, scale);
  const bicubic = compareLuma(resample(lr, width, height, 'bicubic'), hr, scale);
  return { ...sr, bicubicPsnr: bicubic.psnr, bicubicSsim: bicubic.ssim };
}

/** The mean of every measure over the images. */
export function mean(lines: readonly QualityLine[]): QualityLine {
  const [first] = lines;
  if (!first) throw new CrispenError('INVALID_INPUT', 'There is nothing to take the mean of.');
  const average = (metric: (typeof METRICS)[number]): number =>
    lines.reduce((sum, line) => sum + line[metric], 0) / lines.length;
  return {
    image: 'mean',
    scale: first.scale,
    model: first.model,
    psnr: average('psnr'),
    ssim: average('ssim'),
    bicubicPsnr: average('bicubicPsnr'),
    bicubicSsim: average('bicubicSsim'),
  };
}

/** What a result depends on beside the image. */
interface RunKey {
  readonly dataset: string;
  readonly scale: number;
  readonly network: string;
  /** SHA-256 of the weight file. */
  readonly weights: string;
  readonly device: string;
}

/** Results on disk, one JSON line each, so that a run of hours can be taken up again. */
class ResultFile {
  readonly #path: string | undefined;
  readonly #key: RunKey;
  readonly #measures = new Map<string, Measures>();

  constructor(path: string | undefined, key: RunKey) {
    this.#path = path;
    this.#key = key;
    if (path === undefined || !existsSync(path)) return;
    for (const text of readFileSync(path, 'utf8').split('\n')) {
      const line = parseLine(text);
      if (line && Object.entries(key).every(([name, value]) => line[name] === value)) {
        this.#measures.set(String(line.image), line as unknown as Measures);
      }
    }
  }

  find(image: string, model: string): QualityLine | undefined {
    const measures = this.#measures.get(image);
    if (!measures) return undefined;
    const { psnr, ssim, bicubicPsnr, bicubicSsim } = measures;
    return { image, scale: this.#key.scale, model, psnr, ssim, bicubicPsnr, bicubicSsim };
  }

  append(line: QualityLine): void {
    if (this.#path === undefined) return;
    appendFileSync(this.#path, `${JSON.stringify({ ...line, ...this.#key })}\n`);
  }
}

/** null for a line that a killed run left unfinished, or that lacks a measure. */
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

function printJson(line: QualityLine): void {
  console.log(JSON.stringify(line));
}

const HEADING = `${'image'.padEnd(20)} ${'PSNR'.padStart(9)} ${'SSIM'.padStart(8)}   bicubic ${'PSNR'.padStart(9)} ${'SSIM'.padStart(8)}`;

function printRow(line: QualityLine): void {
  const db = (value: number): string => value.toFixed(4).padStart(9);
  const ratio = (value: number): string => value.toFixed(5).padStart(8);
  console.log(
    `${line.image.padEnd(20)} ${db(line.psnr)} ${ratio(line.ssim)}           ${db(line.bicubicPsnr)} ${ratio(line.bicubicSsim)}`,
  );
}
