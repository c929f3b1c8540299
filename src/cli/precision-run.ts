import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { findModel, MODEL_FILES } from '../catalog/files.ts';
import { Engine } from '../engine/engine.ts';
import type { Rgba8Image } from '../image/image.ts';
import { openGpu } from '../node/driver.ts';
import { readImage } from '../node/images.ts';
import { chooseModel, PACKAGE_ROOT } from '../node/model.ts';
import { positiveInteger } from './command.ts';
import {
  hardPicture,
  holds,
  measurePrecision,
  middle,
  type PrecisionFigures,
} from './precision-measure.ts';

export const PRECISION_USAGE = `
npm run precision -- [options]

Compares f16 with f32 for the shipped models, on a GPU with shader-f16: the share of 8-bit values
within 1/255 (99.9 % are required), the largest difference, the largest magnitude written to memory
(the limit of f16 is 65504), and whether all values are finite. These figures decide the property f16
of the models in src/catalog/files.ts.

  --models IDS     comma-separated ids (default all)
  --image FILE     a photo, cropped to its middle; can be repeated (default: two small photos of
                   e2e/images, white lines on black, and checkers of single pixels, which are hardest)
  --size N         largest side of the crop in pixels (default 32)
  --json           one line of JSON {model, picture, width, height, ...figures, holds} per picture
  --help           this text
`;

/**
 * Runs the command `precision`. The exit code is 1 if a model with `f16: true` fails the comparison
 * with f32 on any image.
 */
export async function precisionCommand(args: string[], signal: AbortSignal): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      models: { type: 'string', default: MODEL_FILES.map(({ id }) => id).join() },
      image: { type: 'string', multiple: true },
      size: { type: 'string', default: '32' },
      json: { type: 'boolean', default: false },
    },
  });
  const files = values.image;
  const entries = values.models.split(',').map(findModel);
  const pictures = await picturesOf(files, positiveInteger('--size', values.size));
  const engine = await Engine.create({ gpu: await openGpu() });
  let wrong = 0;
  try {
    for (const { id, f16 } of entries) {
      const model = await chooseModel({ model: id });
      let sound = true;
      for (const [picture, image] of pictures) {
        signal.throwIfAborted();
        const figures = await measurePrecision(engine, model, image);
        const { width, height } = image;
        sound &&= holds(figures);
        const line = { model: id, picture, width, height, ...figures, holds: holds(figures) };
        console.log(values.json ? JSON.stringify(line) : figuresLine(id, picture, image, figures));
      }
      if (!values.json) console.log(`${id}: f16 ${sound ? 'holds' : 'does not hold'}`);
      if (f16 && !sound) wrong++;
    }
  } finally {
    engine.destroy();
  }
  return wrong > 0 ? 1 : 0;
}

async function picturesOf(
  files: readonly string[] | undefined,
  size: number,
): Promise<[string, Rgba8Image][]> {
  const photos = ['coffee-40x40.jpg', 'chelsea-24x20.png'];
  const paths = files ?? photos.map((name) => `${PACKAGE_ROOT}e2e/images/${name}`);
  const cuts: [string, Rgba8Image][] = [];
  for (const path of paths) cuts.push([basename(path), middle(await readImage(path), size)]);
  if (!files) {
    for (const kind of ['strokes', 'checkers'] as const) {
      cuts.push([kind, hardPicture(kind, size)]);
    }
  }
  return cuts;
}

function figuresLine(
  id: string,
  picture: string,
  { width, height }: Rgba8Image,
  { values, within, same, worst, largest, finite }: PrecisionFigures,
): string {
  const at = `${id.padEnd(14)} ${picture.padEnd(20)} ${`${width}x${height}`.padEnd(9)}`;
  const top = `largest stored ${largest.toFixed(0)}`;
  if (!finite) return `${at} NOT FINITE, ${top}`;
  const percent = (share: number) => `${(100 * share).toFixed(3)} %`;
  return `${at} ${percent(within)} of ${values} within 1/255, ${percent(same)} the same, worst ${worst}, ${top}`;
}
