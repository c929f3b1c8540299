import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CrispenError } from '../errors.ts';
import { MODELS, type ModelEntry } from '../models/manifest.ts';
import { type Backend, DEVICES, openBackend } from './backend.ts';
import { choice } from './command.ts';
import type { Degradation } from './degrade.ts';
import { sharedFolder } from './golden-cases.ts';
import { type ChosenModel, chooseModel, PACKAGE_ROOT } from './model.ts';
import { measureModel, type QualityLine } from './quality-run.ts';

export const REPORT_USAGE = `
npm run quality:report -- [options]

Measures every shipped model on Set5 and Set14 at its scale, beside bicubic, the published figure and
the authors' weights, and the photo models on JPEG versions beside the clean models; writes QUALITY.md.
The data sets (images/Set5, images/Set14) and the authors' weights (weights/official) are looked for in
$CRISPEN_SHARED, default ../shared. It takes hours on a software adapter: --resume.

  --sets NAMES     comma-separated (default Set5,Set14)
  --models IDS     comma-separated (default all)
  --resume FILE    keep each result in FILE and skip what is there from an earlier run
  --out FILE       (default QUALITY.md)
  --device NAME    gpu or cpu (default gpu)
  --help           this text
`;

/** PSNR in dB and SSIM as the papers print them. */
const PUBLISHED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a2n 2': { Set5: '38.06 / 0.9608', Set14: '33.75 / 0.9194' },
  'a2n 3': { Set5: '34.47 / 0.9279', Set14: '30.44 / 0.8437' },
  'a2n 4': { Set5: '32.30 / 0.8966', Set14: '28.71 / 0.7842' },
  'pan 2': { Set5: '38.00 / 0.9605', Set14: '33.59 / 0.9181' },
  'pan 3': { Set5: '34.40 / 0.9272', Set14: '30.36 / 0.8422' },
  'pan 4': { Set5: '32.13 / 0.8948', Set14: '28.61 / 0.7822' },
};

/** The authors' own weight files, by family and scale. */
const OFFICIAL: Readonly<Record<string, string>> = {
  'a2n 2': 'a2n_x2_f32.safetensors',
  'a2n 3': 'a2n_x3_f32.safetensors',
  'pan 2': 'pan_x2_f32.safetensors',
  'pan 3': 'pan_x3_f32.safetensors',
  'pan 4': 'pan_x4_f32.safetensors',
};

const QUALITIES = [80, 60, 40];

/** The command `quality:report`. */
export async function reportCommand(args: string[], signal?: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      sets: { type: 'string', default: 'Set5,Set14' },
      models: { type: 'string', default: MODELS.map(({ id }) => id).join() },
      resume: { type: 'string' },
      out: { type: 'string', default: join(PACKAGE_ROOT, 'QUALITY.md') },
      device: { type: 'string', default: 'gpu' },
    },
  });
  const device = choice('--device', values.device, DEVICES);
  const wanted = values.models.split(',');
  const models = MODELS.filter(({ id }) => wanted.includes(id));
  const sets = values.sets.split(',').map((name) => ({ name, path: setFolder(name) }));
  const backend = await openBackend(device);
  try {
    const report = new Report(backend, values.resume, signal);
    const text = [
      ...(await report.head()),
      ...(await report.clean(models, sets)),
      ...(await report.worn(models, sets)),
    ];
    await writeFile(values.out, `${text.join('\n')}\n`);
  } finally {
    backend.close();
  }
  return 0;
}

interface DataSet {
  readonly name: string;
  readonly path: string;
}

/** @throws CrispenError `INVALID_INPUT` if it is not there. */
function setFolder(name: string): string {
  const path = join(sharedFolder(), 'images', name);
  if (!existsSync(path)) {
    throw new CrispenError('INVALID_INPUT', `There is no data set ${path}.`, {
      hint: 'Set CRISPEN_SHARED to the folder that holds images/Set5 and images/Set14.',
    });
  }
  return path;
}

/** One section after the other as lines of Markdown. */
class Report {
  readonly #backend: Backend;
  readonly #resume: string | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(backend: Backend, resume: string | undefined, signal: AbortSignal | undefined) {
    this.#backend = backend;
    this.#resume = resume;
    this.#signal = signal;
  }

  async head(): Promise<string[]> {
    const { adapter, device } = this.#backend;
    const on = adapter ? `${adapter.vendor} ${adapter.architecture}`.trim() : device;
    return [
      '# Quality of the shipped models',
      '',
      `Made by \`npm run quality:report\` on ${new Date().toISOString().slice(0, 10)} (${on}; the adapter changes nothing in the`,
      'digits shown). PSNR in dB and SSIM on unrounded BT.601 Y, `scale` pixels shaved, whole images, output',
      'rounded to 8 bits; LR images by bicubic reduction. Published figures are the papers’.',
    ];
  }

  /** Every upscaling model on clean LR images. */
  async clean(models: readonly ModelEntry[], sets: readonly DataSet[]): Promise<string[]> {
    const lines = ['', '## Clean input'];
    for (const set of sets) {
      lines.push(
        ...[
          '',
          `### ${set.name}`,
          '',
          '| model | PSNR / SSIM | bicubic | published | authors’ weights |',
        ],
        '|---|---|---|---|---|',
      );
      for (const entry of models.filter(({ scale }) => scale > 1)) {
        const family = `${entry.network} ${entry.scale}`;
        const ours = await this.#mean(await chooseModel({ model: entry.id }), set, {});
        const authors = await this.#official(family, set);
        const published = PUBLISHED[family]?.[set.name] ?? 'none';
        lines.push(
          `| ${entry.id} | ${pair(ours)} | ${bicubic(ours)} | ${published} | ${authors ? pair(authors) : 'not at hand'} |`,
        );
      }
    }
    return lines;
  }

  /** Photo models against the clean model of their scale on JPEG files; restoration on its own input. */
  async worn(models: readonly ModelEntry[], sets: readonly DataSet[]): Promise<string[]> {
    const photo = models.filter(({ id }) => id.includes('-photo-'));
    const lines = [
      '',
      '## JPEG input',
      '',
      'LR images saved as JPEG (4:2:0) before they are enlarged.',
    ];
    for (const set of sets) {
      lines.push(
        ...['', `### ${set.name}`, '', '| model | quality | PSNR | clean model | gain | bicubic |'],
        '|---|---|---|---|---|---|',
      );
      for (const entry of photo) {
        const cleanId = entry.id.replace('-photo', '');
        for (const jpeg of [undefined, ...QUALITIES]) {
          const worse: Degradation = { jpeg };
          const ours = await this.#mean(await chooseModel({ model: entry.id }), set, worse);
          const clean = await this.#mean(await chooseModel({ model: cleanId }), set, worse);
          const gain = (ours.psnr - clean.psnr).toFixed(2);
          lines.push(
            `| ${entry.id} | ${jpeg ?? 'none'} | ${ours.psnr.toFixed(3)} | ${clean.psnr.toFixed(3)} | ${gain} | ${ours.bicubicPsnr.toFixed(3)} |`,
          );
        }
      }
    }
    return lines;
  }

  #mean(model: ChosenModel, set: DataSet, worse: Degradation): Promise<QualityLine> {
    return measureModel(this.#backend, {
      ...{ model, dataset: set.path, worse, resume: this.#resume, signal: this.#signal },
      onLine: ({ image, psnr }) => {
        const how = worse.jpeg ? ` JPEG ${worse.jpeg}` : '';
        console.error(`${model.name} ${set.name}${how} ${image}: ${psnr.toFixed(3)} dB`);
      },
    });
  }

  async #official(family: string, set: DataSet): Promise<QualityLine | null> {
    const file = OFFICIAL[family];
    const path = file && join(sharedFolder(), 'weights/official', file);
    if (!path || !existsSync(path)) return null;
    const scale = Number(family.split(' ')[1]);
    return this.#mean(await chooseModel({ weights: path, scale }), set, {});
  }
}

const pair = ({ psnr, ssim }: QualityLine): string => `${psnr.toFixed(3)} / ${ssim.toFixed(4)}`;
const bicubic = ({ bicubicPsnr, bicubicSsim }: QualityLine): string =>
  `${bicubicPsnr.toFixed(3)} / ${bicubicSsim.toFixed(4)}`;
