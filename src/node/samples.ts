import type { Sharp } from 'sharp';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';

/** The message about floating-point samples. */
export const FLOAT_NOTE = 'The floating-point samples, 0 to 1, were rounded to 8 bits.';

/**
 * The sample types that `readUnusual` rejects. The keys are libvips' names, and the values are
 * names for error messages.
 */
const REFUSED: Readonly<Record<string, string>> = {
  char: 'signed 8-bit integers',
  short: 'signed 16-bit integers',
  int: 'signed 32-bit integers',
  uint: '32-bit integers',
  complex: 'complex numbers',
  dpcomplex: 'complex numbers',
};

/** The amount by which samples may be outside the range 0 to 1 because of rounding errors. */
const TOLERANCE = 0.5 / 255;

/**
 * Reads a TIFF whose samples are not unsigned integers of 8 or 16 bits. sharp would cast these
 * samples to 8 bits, and most of them would become black. Floating-point samples from 0 to 1 are
 * multiplied by 255. No transfer curve is applied, because the file does not specify one. Returns
 * null for files that sharp reads correctly.
 *
 * @throws CrispenError `DECODE_FAILED` for samples of other types, and for values outside 0 to 1
 */
export async function readUnusual(input: Sharp): Promise<Rgba8Image | null> {
  const { depth, space } = await input.metadata();
  const refused = REFUSED[String(depth)];
  if (refused) throw unreadable(`The samples of this TIFF are ${refused}.`);
  if (depth !== 'float' && depth !== 'double') return null;
  // libvips treats "scrgb" samples as linear light and would convert them to sRGB. Requesting
  // "scrgb" output prevents this conversion. "b-w" samples are returned unchanged in any case.
  if (space !== 'scrgb' && space !== 'b-w') {
    throw unreadable(`The floating-point samples of this TIFF are of the kind "${space}".`);
  }
  const upright = input.clone().autoOrient();
  const { data, info } = await (space === 'scrgb' ? upright.toColourspace('scrgb') : upright)
    .raw({ depth: 'float' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const samples = new Float32Array(data.buffer, data.byteOffset, width * height * channels);
  let [low, high] = [0, 1];
  for (const value of samples) {
    // If any value is NaN, both `low` and `high` become NaN.
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!(low >= -TOLERANCE && high <= 1 + TOLERANCE)) {
    const range = Number.isNaN(low) ? 'are not all numbers' : `run from ${low} to ${high}`;
    throw unreadable(`The floating-point samples of this TIFF ${range}.`);
  }
  const image = { width, height, data: new Uint8ClampedArray(width * height * 4).fill(255) };
  for (let i = 0, at = 0; i < samples.length; i += channels, at += 4) {
    // `image.data` is a Uint8ClampedArray, which rounds the values that are assigned to it.
    for (let c = 0; c < channels; c++) image.data[at + c] = samples[i + c] * 255;
  }
  return image;
}

const unreadable = (message: string): CrispenError =>
  new CrispenError('DECODE_FAILED', message, {
    hint: 'Save it with 8 or 16 bits per sample, or with floating-point samples from 0 to 1.',
  });
