import { Bytes } from '../codecs/bytes.ts';
import { avifProperties } from '../codecs/iso.ts';
import type { Rgba8Image } from '../image/image.ts';

/** Decodes a file with libheif and returns its samples as RGBA. */
type Decode = (file: Uint8Array) => Promise<Rgba8Image>;

/** The weights of red and blue in luma. The keys are the `MatrixCoefficients` codes of H.273. */
const LUMA: Readonly<Record<number, readonly [red: number, blue: number]>> = {
  1: [0.2126, 0.0722],
  5: [0.299, 0.114],
  6: [0.299, 0.114],
  9: [0.2627, 0.0593],
};

/**
 * Decodes an 8-bit AVIF in the same way as Chromium, which uses libyuv to convert colours. libheif
 * rounds differently, and it repeats chroma samples instead of interpolating them. In PQ images, a
 * difference of one level can grow to 13 sRGB levels. Therefore, this function interpolates and
 * converts the samples itself. It passes `decode` a copy of the file that declares its samples to
 * be RGB, so libheif does not convert them.
 *
 * @returns null for files that this function does not support: other depths, grey images, and files
 *   without `nclx` colour information or with an unsupported matrix
 */
export async function decodeAvif(file: Uint8Array, decode: Decode): Promise<Rgba8Image | null> {
  const bytes = new Bytes(file);
  const properties = avifProperties(bytes);
  const nclx = properties.find(
    ({ type, body }) => type === 'colr' && bytes.ascii(body, 4) === 'nclx',
  );
  const config = properties.find(({ type }) => type === 'av1C');
  if (!nclx || !config) return null;
  const [matrix, range] = [nclx.body + 8, nclx.body + 10];
  const luma = LUMA[bytes.u16be(matrix)];
  const flags = bytes.at(config.body + 2);
  const [isWide, halfWidth, halfHeight] = [flags & 0x70, (flags & 8) !== 0, (flags & 4) !== 0];
  if (!luma || isWide) return null;

  const asRgb = Uint8Array.from(file);
  const [identity, fullRange] = [0, 0x80];
  new DataView(asRgb.buffer).setUint16(matrix, identity);
  asRgb[range] = fullRange;
  const image = await decode(asRgb);
  if (halfWidth) interpolate(image, halfHeight);
  toRgb(image.data, luma, (bytes.at(range) & fullRange) !== 0);
  return image;
}

const [CR, CB] = [0, 2];

/**
 * Interpolates the chroma samples. Each sample is shared by two neighbouring pixels of a row, or by
 * a square of four pixels if `halfHeight` is true. It is located at the centre of these pixels.
 */
function interpolate({ width, height, data }: Rgba8Image, halfHeight: boolean): void {
  const stored = data.slice();
  /** Returns the positions of the two samples that are nearest to a pixel. */
  const pair = (at: number, length: number): readonly [near: number, far: number] => {
    const near = at & ~1;
    const far = near + (at & 1 ? 2 : -2);
    return [near, far < 0 || far >= length ? near : far];
  };
  for (let y = 0; y < height; y++) {
    const [near, far] = halfHeight ? pair(y, height) : [y, y];
    for (let x = 0; x < width; x++) {
      const [left, right] = x === width - 1 ? [x & ~1, x & ~1] : pair(x, width);
      for (const channel of [CR, CB]) {
        const at = (row: number, column: number) => stored[(row * width + column) * 4 + channel];
        const across = (row: number) => 3 * at(row, left) + at(row, right);
        data[(y * width + x) * 4 + channel] = (3 * across(near) + across(far) + 8) >> 4;
      }
    }
  }
}

/**
 * Converts Cr, Y, Cb to R, G, B with libyuv's fixed-point coefficients. The coefficients of Cr and
 * Cb are multiples of 1/64.
 */
function toRgb(
  data: Rgba8Image['data'],
  [red, blue]: readonly [number, number],
  isFull: boolean,
): void {
  const green = 1 - red - blue;
  const [light, colour] = isFull ? [1, 1] : [255 / 219, 255 / 224];
  // libyuv limits these coefficients to 128. The limit affects only `cbBlue`, and only in
  // limited-range images.
  const part = (value: number) => Math.min(128, Math.round(value * colour * 64));
  const [crRed, cbBlue] = [part(2 - 2 * red), part(2 - 2 * blue)];
  const [crGreen, cbGreen] = [
    part(((2 - 2 * red) * red) / green),
    part(((2 - 2 * blue) * blue) / green),
  ];
  const gain = Math.round((light * 64 * 65536) / 257);
  const offset = 32 - (isFull ? 0 : Math.round(light * 64 * 16));
  for (let i = 0; i < data.length; i += 4) {
    const [cr, cb] = [data[i + CR] - 128, data[i + CB] - 128];
    const y = Math.floor((data[i + 1] * 257 * gain) / 65536) + offset;
    data[i] = (y + crRed * cr) >> 6;
    data[i + 1] = (y - crGreen * cr - cbGreen * cb) >> 6;
    data[i + 2] = (y + cbBlue * cb) >> 6;
  }
}
