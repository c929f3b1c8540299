import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelEntry } from '../catalog/manifest.ts';
import type { Rgba8Image } from '../image/image.ts';
import { resample } from '../image/resample.ts';
import type { Measurer } from '../node/backend.ts';
import { loadSharp, readImage } from '../node/images.ts';
import { chooseModel } from '../node/model.ts';
import { type Degradation, degrade } from './degrade.ts';

/** A square part of a sample photo. `left` and `top` are in pixels and are multiples of 4. */
interface Crop {
  readonly photo: string;
  readonly left: number;
  readonly top: number;
}

const SIDE = 144;
const EYE: Crop = { photo: 'chelsea.jpg', left: 104, top: 64 };
const CUP: Crop = { photo: 'coffee.jpg', left: 216, top: 112 };
const FACE: Crop = { photo: 'astronaut.jpg', left: 152, top: 40 };

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
  const hr = cut(photo, crop.left, crop.top, SIDE);
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
  await writeRow(
    join(folder, file),
    columns.map(([, image]) => image),
  );
  return { file, title, columns: columns.map(([name]) => name) };
}

function cut({ width, data }: Rgba8Image, left: number, top: number, side: number): Rgba8Image {
  const part = new Uint8ClampedArray(side * side * 4);
  for (let y = 0; y < side; y++) {
    const start = ((top + y) * width + left) * 4;
    part.set(data.subarray(start, start + side * 4), y * side * 4);
  }
  return { width: side, height: side, data: part };
}

/**
 * Writes a row of images to a file. Each image has `SIDE` x `SIDE` pixels and is enlarged by a
 * factor of two. The images are separated by gaps.
 */
async function writeRow(path: string, images: readonly Rgba8Image[]): Promise<void> {
  const sharp = await loadSharp();
  const [shown, gap] = [SIDE * 2, 8];
  const tiles = images.map(async ({ width, height, data }, i) => ({
    input: await sharp(data, { raw: { width, height, channels: 4 } })
      .resize(shown, shown, { kernel: 'nearest' })
      .png()
      .toBuffer(),
    left: i * (shown + gap),
    top: 0,
  }));
  const width = images.length * (shown + gap) - gap;
  const background = { r: 255, g: 255, b: 255, alpha: 0 };
  await sharp({ create: { width, height: shown, channels: 4, background } })
    .composite(await Promise.all(tiles))
    .webp({ quality: 92 })
    .toFile(path);
}
