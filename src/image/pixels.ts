import type { Rgba8Image, RgbaImage } from './image.ts';

type Samples = RgbaImage['data'];

/** Whether every pixel is opaque. */
export function isOpaque(rgba: Samples): boolean {
  const most = rgba instanceof Uint16Array ? 65535 : 255;
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== most) return false;
  return true;
}

/** Whether every pixel has R = G = B; ends with the first that has not. */
export function isGrey(rgba: Samples): boolean {
  for (let i = 0; i < rgba.length; i += 4) {
    if (rgba[i] !== rgba[i + 1] || rgba[i] !== rgba[i + 2]) return false;
  }
  return true;
}

/** The image with 8 bits per sample, rounded to the nearest; itself where it has them. */
export function toRgba8(image: RgbaImage): Rgba8Image {
  const { width, height, data } = image;
  if (data instanceof Uint8ClampedArray) return { width, height, data };
  const rounded = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) rounded[i] = data[i] / 257;
  return { width, height, data: rounded };
}
