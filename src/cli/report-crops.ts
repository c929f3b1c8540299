import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelEntry } from '../catalog/manifest.ts';
import type { Rgba8Image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import type { Measurer } from '../node/backend.ts';
import { readImage } from '../node/images.ts';
import { chooseModel } from '../node/model.ts';
import { type Degradation, degrade } from './degrade.ts';
import { cut, writeRow } from './pictures.ts';

/** A square part of a sample photo. `x` and `y` are in pixels and are multiples of 4. */
interface Crop {
  readonly photo: string;
  readonly x: number;
  readonly y: number;
}

const SIDE = 144;
const EYE: Crop = { photo: 'chelsea.jpg', x: 104, y: 64 };
const CUP: Crop = { photo: 'coffee.jpg', x: 216, y: 112 };
const FACE: Crop = { photo: 'astronaut.jpg', x: 152, y: 40 };

/**
 * A row of images: the input (enlarged by bicubic interpolation if `scale` is above 1), the models'
 * results, and the original crop of the photo.
 */
interface Scene {
  readonly file: string;
  readonly title: string;
  readonly crop: Crop;
  readonly scale: 1 | 2 | 4;
  readonly worse: Degradation;
  readonly models: readonly string[];
}

const SCENES: readonly Scene[] = [
  {
    file: 'eye-x2.webp',
    title: 'Twice, clean input',
    crop: EYE,
    scale: 2,
    worse: {},
    models: ['a2n-x2', 'a2n-photo-x2'],
  },
  {
    file: 'cup-x2-jpeg.webp',
    title: 'Twice, JPEG of quality 60',
    crop: CUP,
    scale: 2,
    worse: { jpeg: 60 },
    models: ['a2n-x2', 'a2n-photo-x2'],
  },
  {
    file: 'face-x4-jpeg.webp',
    title: 'Four times, JPEG of quality 80',
    crop: FACE,
    scale: 4,
    worse: { jpeg: 80 },
    models: ['a2n-x4', 'a2n-photo-x4'],
  },
  {
    file: 'cup-jpeg.webp',
    title: 'JPEG of quality 20, restored',
    crop: CUP,
    scale: 1,
    worse: { jpeg: 20 },
    models: ['a2n-jpeg-x1'],
  },
  {
    file: 'eye-noise.webp',
    title: 'Noise of 25 levels, restored',
    crop: EYE,
    scale: 1,
    worse: { noise: 25 },
    models: ['a2n-denoise-x1'],
  },
];

export interface Picture {
  readonly file: string;
  readonly title: string;
  /** The titles of the columns, from left to right. */
  readonly columns: readonly string[];
}

/**
 * Draws the scenes from the photos in `samples` and writes them to `folder`. A scene is drawn only
 * if all of its models are in `models`.
 */
export async function drawCrops(
  measurer: Measurer,
  models: readonly ModelEntry[],
  samples: string,
  folder: string,
): Promise<Picture[]> {
  await mkdir(folder, { recursive: true });
  const ids = new Set(models.map(({ id }) => id));
  const pictures: Picture[] = [];
  for (const scene of SCENES.filter((scene) => scene.models.every((id) => ids.has(id)))) {
    pictures.push(await drawScene(measurer, scene, samples, folder));
  }
  return pictures;
}

async function drawScene(
  measurer: Measurer,
  scene: Scene,
  samples: string,
  folder: string,
): Promise<Picture> {
  const { file, title, crop, scale, worse } = scene;
  const photo = await readImage(join(samples, crop.photo));
  const hr = cut(photo, { x: crop.x, y: crop.y, width: SIDE, height: SIDE });
  const side = SIDE / scale;
  const lr = await degrade(scale === 1 ? hr : resample(hr, side, side, 'bicubic'), worse);
  const columns: [string, Rgba8Image][] = [
    scale === 1 ? ['input', lr] : ['bicubic', resample(lr, SIDE, SIDE, 'bicubic')],
  ];
  for (const id of scene.models) {
    const { network, weights } = await chooseModel({ model: id });
    const run = await measurer.load(network, weights);
    columns.push([id, (await run(lr)).image]);
  }
  columns.push(['the photo', hr]);
  const images = columns.map(([, image]) => image);
  await writeRow(join(folder, file), images, { zoom: 2, alpha: 0, quality: 92 });
  return { file, title, columns: columns.map(([name]) => name) };
}
