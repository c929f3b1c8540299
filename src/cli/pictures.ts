/** Cuts images and writes them side by side. */
import type { Rect } from '../geometry.ts';
import type { Rgba8Image } from '../image/image.ts';
import { loadSharp } from '../node/images.ts';

/** Cuts a rectangle out of an image. */
export function cut(image: Rgba8Image, { x, y, width, height }: Rect): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * image.width + x) * 4;
    data.set(image.data.subarray(from, from + width * 4), row * width * 4);
  }
  return { width, height, data };
}

/**
 * Writes a WebP file that shows images in a row, with gaps between them. All images have the same
 * size. Each pixel becomes a square with the side `zoom`. `alpha` is the opacity of the gaps.
 */
export async function writeRow(
  path: string,
  images: readonly Rgba8Image[],
  { zoom, alpha, quality }: { zoom: number; alpha: number; quality: number },
): Promise<void> {
  const sharp = await loadSharp();
  const { width, height } = images[0];
  const [across, down, gap] = [width * zoom, height * zoom, 8];
  const tiles = images.map(async ({ data }, i) => ({
    input: await sharp(data, { raw: { width, height, channels: 4 } })
      .resize(across, down, { kernel: 'nearest' })
      .png()
      .toBuffer(),
    left: i * (across + gap),
    top: 0,
  }));
  const row = { width: images.length * (across + gap) - gap, height: down };
  const background = { r: 255, g: 255, b: 255, alpha };
  await sharp({ create: { ...row, channels: 4, background } })
    .composite(await Promise.all(tiles))
    .webp({ quality })
    .toFile(path);
}
