import type { Rgba8Image } from '../image/image.ts';
import { loadSharp } from '../node/images.ts';

/** The degradation that is applied to a measurement's input. */
export interface Degradation {
  /**
   * The JPEG quality, from 1 to 100. The JPEG has 4:2:0 chroma, like the files that Pillow and
   * many cameras write.
   */
  readonly jpeg?: number | undefined;
  /**
   * The standard deviation of the white Gaussian noise, in 8-bit levels. The noise is the same in
   * every run.
   */
  readonly noise?: number | undefined;
}

/**
 * Adds noise to an image, and then JPEG artifacts.
 * @returns the given image if neither is requested
 */
export async function degrade(
  image: Rgba8Image,
  { jpeg, noise }: Degradation,
): Promise<Rgba8Image> {
  const noisy = noise ? addNoise(image, noise) : image;
  return jpeg ? throughJpeg(noisy, jpeg) : noisy;
}

async function throughJpeg(image: Rgba8Image, quality: number): Promise<Rgba8Image> {
  const sharp = await loadSharp();
  const { width, height } = image;
  const file = await sharp(image.data, { raw: { width, height, channels: 4 } })
    .removeAlpha()
    .jpeg({ quality, chromaSubsampling: '4:2:0' })
    .toBuffer();
  const { buffer, byteOffset, byteLength } = await sharp(file).ensureAlpha().raw().toBuffer();
  return { width, height, data: new Uint8ClampedArray(buffer, byteOffset, byteLength) };
}

function addNoise({ width, height, data }: Rgba8Image, sigma: number): Rgba8Image {
  const noisy = new Uint8ClampedArray(data);
  const random = uniform(1);
  for (let i = 0; i < data.length; i++) {
    if (i % 4 === 3) continue;
    // This is the Box-Muller transform.
    const gauss = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    noisy[i] = data[i] + sigma * gauss;
  }
  return { width, height, data: noisy };
}

/** Creates a pseudorandom number generator for the range [0, 1) (Mulberry32). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
