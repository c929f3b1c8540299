import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { MODELS, type ModelEntry, type SetFigures } from '../catalog/manifest.ts';
import type { Restoration } from '../catalog/task.ts';
import { CrispenError } from '../errors.ts';
import type { Measurer } from '../node/backend.ts';
import { type ChosenModel, chooseModel, PACKAGE_ROOT } from '../node/model.ts';
import { choice } from './command.ts';
import type { Degradation } from './degrade.ts';
import { sharedFolder } from './golden-cases.ts';
import { drawLargeCrops } from './large-crops.ts';
import {
  MEASURERS,
  type Measuring,
  measureModel,
  openMeasurer,
  type QualityLine,
} from './quality-run.ts';
import { drawCrops } from './report-crops.ts';

export const REPORT_USAGE = `
npm run quality:report -- [options]

Measures every shipped model on Set5 and Set14 at its scale, next to bicubic, the published figures and
the authors' weights. Measures photo models on JPEG input next to the clean models, and restoration
next to its input. Writes QUALITY.md, and crops of the sample photos to docs/quality. The data sets
(images/Set5, images/Set14), the authors' weights (weights/official) and the photos (samples) must be in
$CRISPEN_SHARED (default ../shared).

  --check          instead of writing: compare the PSNR on each set with the catalog's figure, and fail
                   if they differ by more than 0.02 dB
  --sets NAMES     comma-separated (default Set5,Set14)
  --models IDS     comma-separated (default all)
  --resume FILE    keep each result in FILE and skip results from an earlier run
  --out FILE       the file to write (default QUALITY.md)
  --device NAME    gpu, cpu, oracle (plain loops), or torch: PyTorch on the CPU
                   (default auto: a GPU, or else the CPU)
  --help           this text
`;

/** The PSNR in dB and the SSIM that the papers report. */
const PUBLISHED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a2n 2': { Set5: '38.06 / 0.9608', Set14: '33.75 / 0.9194' },
  'a2n 3': { Set5: '34.47 / 0.9279', Set14: '30.44 / 0.8437' },
  'a2n 4': { Set5: '32.30 / 0.8966', Set14: '28.71 / 0.7842' },
  'a2nm 2': { Set5: '38.06 / 0.9601', Set14: '33.73 / 0.9190' },
  'a2nm 4': { Set5: '32.27 / 0.8963', Set14: '28.70 / 0.7842' },
  'pan 2': { Set5: '38.00 / 0.9605', Set14: '33.59 / 0.9181' },
  'pan 3': { Set5: '34.40 / 0.9272', Set14: '30.36 / 0.8422' },
  'pan 4': { Set5: '32.13 / 0.8948', Set14: '28.61 / 0.7822' },
};

/** The authors' weight files, by family and scale. */
const OFFICIAL: Readonly<Record<string, string>> = {
  'a2n 2': 'a2n_x2_f32.safetensors',
  'a2n 3': 'a2n_x3_f32.safetensors',
  'pan 2': 'pan_x2_f32.safetensors',
  'pan 3': 'pan_x3_f32.safetensors',
  'pan 4': 'pan_x4_f32.safetensors',
};

const QUALITIES = [80, 60, 40];

/** The largest difference in dB between a figure in the catalog and a measured one. */
const TOLERANCE = 0.02;

/** For each restoration task, the degradations that are applied to the first data set. */
const WORSE: Readonly<Partial<Record<Restoration, readonly Degradation[]>>> = {
  dejpeg: [{ jpeg: 10 }, { jpeg: 20 }, { jpeg: 40 }, { jpeg: 80 }],
  denoise: [{ noise: 10 }, { noise: 25 }],
};

/** Runs the command `quality:report`. */
export async function reportCommand(args: string[], signal?: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      check: { type: 'boolean', default: false },
      sets: { type: 'string', default: 'Set5,Set14' },
      models: { type: 'string', default: MODELS.map(({ id }) => id).join() },
      resume: { type: 'string' },
      out: { type: 'string', default: join(PACKAGE_ROOT, 'QUALITY.md') },
      device: { type: 'string', default: 'auto' },
    },
  });
  const device = choice('--device', values.device, MEASURERS);
  const wanted = values.models.split(',');
  const models = MODELS.filter(({ id }) => wanted.includes(id));
  const sets = values.sets.split(',').map((name) => ({ name, path: setFolder(name) }));
  const measurer = await openMeasurer(device);
  try {
    const report = new Report(measurer, { models, sets, resume: values.resume, signal });
    if (values.check) return (await report.check()) ? 0 : 1;
    const text = [
      ...report.head(),
      ...(await report.clean()),
      ...(await report.worn()),
      ...(await report.restored()),
      ...(await report.crops(join(dirname(values.out), 'docs/quality'))),
    ];
    await writeFile(values.out, `${text.join('\n')}\n`);
  } finally {
    measurer.close();
  }
  return 0;
}

interface DataSet {
  readonly name: string;
  readonly path: string;
}

/** Returns a data set's folder. @throws CrispenError `INVALID_INPUT` if it does not exist. */
function setFolder(name: string): string {
  const path = join(sharedFolder(), 'images', name);
  if (!existsSync(path)) {
    throw new CrispenError('INVALID_INPUT', `There is no data set ${path}.`, {
      hint: 'Set CRISPEN_SHARED to the folder that holds images/Set5 and images/Set14.',
    });
  }
  return path;
}

/** Produces the report's sections as lines of Markdown. */
class Report {
  readonly #measurer: Measurer;
  readonly #models: readonly ModelEntry[];
  readonly #sets: readonly DataSet[];
  readonly #options: Pick<Measuring, 'resume' | 'signal'>;

  constructor(
    measurer: Measurer,
    {
      models,
      sets,
      ...options
    }: Pick<Measuring, 'resume' | 'signal'> & {
      readonly models: readonly ModelEntry[];
      readonly sets: readonly DataSet[];
    },
  ) {
    this.#measurer = measurer;
    this.#models = models;
    this.#sets = sets;
    this.#options = options;
  }

  head(): string[] {
    const { adapter, device } = this.#measurer;
    const on = adapter ? `${adapter.vendor} ${adapter.architecture}`.trim() : device;
    const command = `npm run quality:report${device === 'gpu' ? '' : ` -- --device ${device}`}`;
    return [
      '# Quality of the shipped models',
      '',
      `Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)} (${on}). Other devices give the same`,
      'digits: `npm run quality -- --device gpu|cpu|torch` measures any line. PSNR is in dB, and PSNR and SSIM',
      'are on unrounded BT.601 Y with `scale` pixels shaved, of whole images, with output rounded to 8 bits. LR',
      'images are made by bicubic reduction. Published figures are from the papers. Those of A2N at x4 and of A2N-M were',
      'not checked against a second source. Those of LCoAN, ACLA and ASID are not known here: no source with their',
      'tables could be read. We therefore do not know how far these models fall short of their papers.',
    ];
  }

  /**
   * Measures each figure of the catalog again and prints both. For restoration, this includes the
   * figures of the input.
   * @returns whether all differences are within `TOLERANCE`
   * @throws CrispenError `INVALID_INPUT` if the catalog has no figures for a set
   */
  async check(): Promise<boolean> {
    let agrees = true;
    const compare = (what: string, measured: number, stated: number) => {
      const off = Math.abs(measured - stated);
      const isOff = !(off <= TOLERANCE);
      if (isOff) agrees = false;
      const end = isOff ? `: differs by ${decibels(off)}` : '';
      console.log(`${what}: ${decibels(measured)} dB, catalog ${decibels(stated)}${end}`);
    };
    for (const { id, quality } of this.#models) {
      const model = await chooseModel({ model: id });
      const { input } = quality;
      const worse = { jpeg: input?.jpeg, noise: input?.noise };
      for (const set of this.#sets) {
        const { psnr, bicubicPsnr } = await this.#mean(model, set, worse);
        compare(`${id} ${set.name}`, psnr, figureOf(quality, set));
        if (input) compare(`${id} ${set.name}, input`, bicubicPsnr, figureOf(input, set));
      }
    }
    return agrees;
  }

  /** Measures every upscaling model on clean LR images. */
  async clean(): Promise<string[]> {
    const lines = ['', '## Clean input'];
    for (const set of this.#sets) {
      const columns = ['model', 'PSNR / SSIM', 'bicubic', 'published', 'authors’ weights'];
      lines.push('', `### ${set.name}`, '', ...heading(columns));
      for (const { id, network, scale } of this.#models.filter(({ scale }) => scale > 1)) {
        const family = `${network} ${scale}`;
        const ours = await this.#mean(await chooseModel({ model: id }), set, {});
        const authors = await this.#official(family, scale, set);
        const published = PUBLISHED[family]?.[set.name] ?? 'not known';
        const theirs = authors ? pair(authors) : 'not available';
        lines.push(row([id, pair(ours), bicubic(ours), published, theirs]));
      }
    }
    return lines;
  }

  /**
   * Compares each photo model with the corresponding model for lossless images. The inputs are the
   * LR images, both lossless and saved as JPEG at several qualities.
   */
  async worn(): Promise<string[]> {
    const photo = this.#models.filter(({ id }) => id.includes('-photo-'));
    const lines = [
      ...['', '## JPEG input', ''],
      'The LR images are saved as JPEG (4:2:0) before they are enlarged.',
    ];
    for (const set of this.#sets) {
      const columns = ['model', 'quality', 'PSNR', 'clean model', 'gain', 'bicubic'];
      lines.push('', `### ${set.name}`, '', ...heading(columns));
      for (const { id } of photo) {
        const cleanId = id.replace('-photo', '');
        for (const jpeg of [undefined, ...QUALITIES]) {
          const worse: Degradation = { jpeg };
          const ours = await this.#mean(await chooseModel({ model: id }), set, worse);
          const clean = await this.#mean(await chooseModel({ model: cleanId }), set, worse);
          const gain = (ours.psnr - clean.psnr).toFixed(2);
          const [own, other, plain] = [ours.psnr, clean.psnr, ours.bicubicPsnr].map(decibels);
          lines.push(row([id, String(jpeg ?? 'none'), own, other, gain, plain]));
        }
      }
    }
    return lines;
  }

  /** Compares restored images with their inputs. */
  async restored(): Promise<string[]> {
    const lines = [
      ...['', '## Restoration', ''],
      'The input is the original image with added degradation, at scale 1. After the first set, only the level in the manifest is measured.',
      ...['', ...heading(['model', 'set', 'input', 'PSNR / SSIM', 'of the input', 'gain'])],
    ];
    for (const { id, task, quality } of this.#models.filter(({ task }) => task !== 'upscale')) {
      const model = await chooseModel({ model: id });
      for (const set of this.#sets) {
        const { jpeg, noise } = quality.input ?? {};
        const levels = set === this.#sets[0] ? WORSE[task as Restoration] : [{ jpeg, noise }];
        for (const worse of levels ?? []) {
          const ours = await this.#mean(model, set, worse);
          const gain = (ours.psnr - ours.bicubicPsnr).toFixed(2);
          lines.push(row([id, set.name, degradationText(worse), pair(ours), bicubic(ours), gain]));
        }
      }
    }
    return lines;
  }

  /**
   * Writes images that show the models' results side by side, and returns the report's sections
   * about them. The images show differences that PSNR and SSIM do not.
   */
  async crops(folder: string): Promise<string[]> {
    const large = await drawLargeCrops(this.#measurer, folder);
    const samples = join(sharedFolder(), 'samples');
    if (!existsSync(samples)) {
      console.error(`There are no photos in ${samples}: the report has no crops.`);
      return large;
    }
    const pictures = await drawCrops(this.#measurer, this.#models, samples, folder);
    const lines = [
      ...large,
      ...['', '## Crops', ''],
      'The sample photos, with each pixel shown twice as large.',
    ];
    for (const { file, title, columns } of pictures) {
      lines.push(
        ...['', `### ${title}`, '', columns.join(' · '), ''],
        `![${title}](docs/quality/${file})`,
      );
    }
    return lines;
  }

  #mean(model: ChosenModel, set: DataSet, worse: Degradation): Promise<QualityLine> {
    return measureModel(this.#measurer, {
      model,
      dataset: set.path,
      worse,
      ...this.#options,
      onLine: ({ image, psnr }) => {
        const how = worse.jpeg || worse.noise ? ` ${degradationText(worse)}` : '';
        console.error(`${model.name} ${set.name}${how} ${image}: ${decibels(psnr)} dB`);
      },
    });
  }

  async #official(family: string, scale: number, set: DataSet): Promise<QualityLine | null> {
    const file = OFFICIAL[family];
    const path = file && join(sharedFolder(), 'weights/official', file);
    if (!path || !existsSync(path)) return null;
    return this.#mean(await chooseModel({ weights: path, scale }), set, {});
  }
}

/** Returns a model's figure for a set. @throws CrispenError `INVALID_INPUT` if there is none. */
function figureOf({ set5, set14 }: SetFigures, { name }: DataSet): number {
  const figure = { Set5: set5, Set14: set14 }[name];
  if (figure === undefined) {
    throw new CrispenError('INVALID_INPUT', `The catalog has no figures for ${name}.`, {
      hint: 'Choose from Set5 and Set14 with --sets.',
    });
  }
  return figure;
}

/** Returns a row of a Markdown table. */
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const heading = (columns: readonly string[]): string[] => [
  row(columns),
  `|${'---|'.repeat(columns.length)}`,
];

const degradationText = ({ jpeg, noise }: Degradation): string =>
  jpeg ? `JPEG ${jpeg}` : `noise ${noise}`;
const decibels = (psnr: number): string => psnr.toFixed(3);
const pair = ({ psnr, ssim }: Pick<QualityLine, 'psnr' | 'ssim'>): string =>
  `${decibels(psnr)} / ${ssim.toFixed(4)}`;
const bicubic = ({ bicubicPsnr, bicubicSsim }: QualityLine): string =>
  pair({ psnr: bicubicPsnr, ssim: bicubicSsim });
