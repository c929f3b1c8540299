import { existsSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';
import { cut } from './pictures.ts';

/** The paths of a test image: the ground truth (HR) and its reduced copy (LR). */
export interface ImagePair {
  readonly name: string;
  readonly hr: string;
  readonly lr: string;
}

const EXTENSIONS = ['.png', '.jpg', '.jpeg', '.webp', '.bmp'];

/**
 * Finds the image pairs of a data set and sorts them by name. The data set must have the usual
 * layout, which is `HR/NAME.png` and `LR_bicubic/X2/NAMEx2.png` for scale 2. At scale 1, the LR
 * images are the HR images themselves.
 * @throws CrispenError `INVALID_INPUT` if the folder has a different layout or if an LR image is
 *   missing.
 */
export function findPairs(folder: string, scale: number): ImagePair[] {
  const hrFolder = join(folder, 'HR');
  const lrFolder = scale === 1 ? hrFolder : join(folder, 'LR_bicubic', `X${scale}`);
  for (const path of [hrFolder, lrFolder]) {
    if (!existsSync(path)) {
      throw new CrispenError('INVALID_INPUT', `The data set has no folder ${path}.`, {
        hint: `Expected: HR/NAME.png and LR_bicubic/X${scale}/NAMEx${scale}.png.`,
      });
    }
  }
  const files = readdirSync(hrFolder)
    .filter((file) => EXTENSIONS.includes(extname(file).toLowerCase()))
    .sort();
  if (files.length === 0) {
    throw new CrispenError('INVALID_INPUT', `There are no images in ${hrFolder}.`);
  }
  return files.map((file) => {
    const name = file.slice(0, -extname(file).length);
    const lr = join(lrFolder, scale === 1 ? file : `${name}x${scale}${extname(file)}`);
    if (!existsSync(lr)) throw new CrispenError('INVALID_INPUT', `There is no LR image ${lr}.`);
    return { name, hr: join(hrFolder, file), lr };
  });
}

/**
 * Crops an image to its upper left part. A ground truth whose sides are not multiples of the scale
 * is cropped to the area that its LR image covers.
 * @throws CrispenError `INVALID_INPUT` if the image is smaller than the given size.
 */
export function cropTo(image: Rgba8Image, width: number, height: number): Rgba8Image {
  if (width > image.width || height > image.height) {
    throw new CrispenError(
      'INVALID_INPUT',
      `The ground truth (${image.width} x ${image.height}) is smaller than the LR image times the scale (${width} x ${height}).`,
    );
  }
  return cut(image, { x: 0, y: 0, width, height });
}
