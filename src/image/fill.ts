import type { RgbaImage } from './image.ts';

/**
 * An image with red, green, blue and a weight for each pixel. Colours are not multiplied by the
 * weight. A weight of 0 means that the colour is unknown.
 */
interface Level {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint16Array | Float32Array;
}

/**
 * Returns an opaque image with the same visible colours. Pixels that are not fully transparent keep
 * their exact colours. Fully transparent pixels are filled with the colours of nearby visible
 * pixels. Otherwise, their hidden colour, which is usually black, would darken the edges of the
 * visible areas, because networks have large receptive fields.
 *
 * The function averages blocks of 2 x 2 pixels, weighted by alpha, and repeats this with the
 * averages until no pixel has a weight of 0. It then goes back from the coarsest to the finest
 * level, and interpolates each pixel of weight 0 from the next coarser level. The image is filled
 * before it is divided into tiles, so that overlapping tiles contain the same colours. If no pixel
 * is visible, the image keeps its colours.
 */
export function opaqueColours(image: RgbaImage): RgbaImage {
  const { width, height } = image;
  const data = image.data.slice();
  const top = data instanceof Uint16Array ? 65535 : 255;
  // The levels from fine to coarse. The finest level is the image itself, with 8 or 16 bits.
  const levels: Level[] = [{ width, height, data }];
  for (let last = levels[0]; hasGaps(last) && last.data.length > 4; ) {
    last = halved(last);
    levels.push(last);
  }
  const coarsest = levels[levels.length - 1];
  if (!hasGaps(coarsest))
    for (let i = levels.length - 1; i > 0; i--) fill(levels[i - 1], levels[i]);
  for (let i = 3; i < data.length; i += 4) data[i] = top;
  return { width, height, data } as RgbaImage;
}

function hasGaps({ data }: Level): boolean {
  for (let i = 3; i < data.length; i += 4) if (data[i] === 0) return true;
  return false;
}

/**
 * Halves the size, rounding up. Each new pixel replaces a block of 2 x 2 pixels. Its colour is the
 * weighted mean of the block's colours, and its weight is a quarter of the sum of the block's
 * weights.
 */
function halved({ width, height, data }: Level): Level {
  const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  const means = new Float32Array(half.width * half.height * 4);
  for (let y = 0; y < half.height; y++) {
    for (let x = 0; x < half.width; x++) {
      let [r, g, b, sum] = [0, 0, 0, 0];
      for (let v = 2 * y; v < Math.min(height, 2 * y + 2); v++) {
        for (let u = 2 * x; u < Math.min(width, 2 * x + 2); u++) {
          const at = (v * width + u) * 4;
          r += data[at + 3] * data[at];
          g += data[at + 3] * data[at + 1];
          b += data[at + 3] * data[at + 2];
          sum += data[at + 3];
        }
      }
      if (sum === 0) continue;
      const to = (y * half.width + x) * 4;
      means[to] = r / sum;
      means[to + 1] = g / sum;
      means[to + 2] = b / sum;
      means[to + 3] = sum / 4;
    }
  }
  return { ...half, data: means };
}

/** Fills each pixel whose weight is 0 with a colour from the coarser level, which has no gaps. */
function fill({ width, height, data }: Level, coarse: Level): void {
  const whole = data instanceof Float32Array ? (v: number) => v : Math.round;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 4;
      if (data[at + 3] !== 0) continue;
      // Interpolates bilinearly between four coarse pixels: `(cx, cy)`, which contains this pixel,
      // and the three of its neighbours that are closest to this pixel. Along each axis, this
      // pixel's centre is a quarter of a coarse pixel away from the centre of `(cx, cy)`.
      const [cx, cy] = [x >> 1, y >> 1];
      const nx = Math.min(Math.max(cx + (x % 2 ? 1 : -1), 0), coarse.width - 1);
      const ny = Math.min(Math.max(cy + (y % 2 ? 1 : -1), 0), coarse.height - 1);
      const [a, b, c, d] = [
        cy * coarse.width + cx,
        cy * coarse.width + nx,
        ny * coarse.width + cx,
        ny * coarse.width + nx,
      ];
      const from = coarse.data;
      for (let k = 0; k < 3; k++) {
        const sum = 9 * from[a * 4 + k] + 3 * (from[b * 4 + k] + from[c * 4 + k]) + from[d * 4 + k];
        data[at + k] = whole(sum / 16);
      }
      if (data instanceof Float32Array) data[at + 3] = 1;
    }
  }
}
