import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';
import { luma } from './luma.ts';
import { psnr } from './psnr.ts';
import { SSIM_WINDOW, ssim } from './ssim.ts';

/**
 * Compares a result with the ground truth. Computes the PSNR (in dB, Infinity for equal images) and
 * the SSIM from the unrounded BT.601 luma of both images. `border` is the number of pixels that are
 * shaved from every side (usually equal to the scale factor). Alpha is ignored.
 *
 * At least 11x11 pixels must remain after the border is removed. SSIM is not defined for images
 * smaller than its window, and values computed with a smaller window would not be comparable.
 * @throws CrispenError `INVALID_INPUT` if the sizes differ, if the border is not a whole number, or
 *   if too few pixels remain.
 */
export function compareLuma(
  sr: Rgba8Image,
  hr: Rgba8Image,
  border: number,
): { psnr: number; ssim: number } {
  if (sr.width !== hr.width || sr.height !== hr.height) {
    throw new CrispenError(
      'INVALID_INPUT',
      `An image of ${sr.width} x ${sr.height} cannot be compared with one of ${hr.width} x ${hr.height}.`,
      { hint: 'Crop the ground truth to the size of the LR image times the scale.' },
    );
  }
  if (!Number.isSafeInteger(border) || border < 0) {
    throw new CrispenError('INVALID_INPUT', `A border of ${border} pixels cannot be shaved.`);
  }
  if (Math.min(sr.width, sr.height) - 2 * border < SSIM_WINDOW) {
    throw new CrispenError(
      'INVALID_INPUT',
      `An image of ${sr.width} x ${sr.height} is too small for SSIM with borders of ${border}.`,
      { hint: `Each side needs at least ${SSIM_WINDOW + 2 * border} pixels.` },
    );
  }
  const [a, b] = [luma(sr, border), luma(hr, border)];
  return { psnr: psnr(a, b), ssim: ssim(a, b) };
}
