import type { CodePoints } from '../codecs/container.ts';
import {
  dot,
  inverse,
  type Matrix,
  product,
  times,
  transposed,
  type Vector,
} from '../codecs/matrix.ts';
import { primariesOf } from '../codecs/profiles.ts';
import type { RgbaImage } from '../image/image.ts';
import { linearToSrgb } from '../srgb.ts';

/**
 * Converts HDR images to sRGB as Chromium does on a screen without HDR. BT.2100 values (PQ and HLG)
 * are converted to linear light, tone-mapped in BT.2020 with the reference white operator of SMPTE
 * ST 2094-50, and clipped to sRGB.
 */

/**
 * The luminance of diffuse white (BT.2408) and the assumed peak luminance of an image, in cd/m².
 */
const [WHITE, PEAK] = [203, 1000];
const MAX = PEAK / WHITE;

/** Returns the matrix that converts linear RGB to XYZ. @param code the primaries' H.273 code */
const toXyz = (code: number): Matrix => transposed(primariesOf(code));
const between = (from: number, to: number): Matrix =>
  product(inverse(toXyz(to)) as Matrix, toXyz(from));

const [SRGB, BT2020] = [1, 9];
const LUMA: Vector = [0.2627, 0.678, 0.0593];

/** Decodes a PQ value to linear light, where 1 is diffuse white. */
function pq(x: number): number {
  const power = x ** (1 / 78.84375);
  const light = Math.max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power);
  return (light ** (1 / 0.1593017578125) * 10000) / WHITE;
}

/** Decodes an HLG value to scene light from 0 to 1. */
const hlg = (x: number): number =>
  x <= 0.5 ? (x * x) / 3 : (Math.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12;

/**
 * Returns the tone mapping factor for a light value, where 1 is diffuse white. The factor is one
 * half for values up to 1, and decreases for larger values.
 */
function gain(light: number): number {
  const knee = 0.5;
  if (light <= 1) return knee;
  // Above 1, the tone-mapped value follows a quadratic Bézier curve from `(1, knee)` to `(MAX, 1)`.
  // Its control point `(x, y)` is 65% of the way from `(1, knee)` to `(1 / knee, 1)`.
  const [x, y] = [0.35 + 0.65 / knee, 0.35 * knee + 0.65];
  const [a, b, c] = [1 - 2 * x + MAX, 2 * x - 2, 1 - Math.min(light, MAX)];
  const t = (Math.sqrt(b * b - 4 * a * c) - b) / (2 * a);
  return ((1 - t) ** 2 * knee + 2 * t * (1 - t) * y + t * t) / light;
}

function encode(light: number): number {
  return linearToSrgb(Math.min(1, Math.max(0, light)));
}

/**
 * Converts the image to sRGB with the same number of bits per sample.
 * @param points code points with the transfer function PQ (16) or HLG (18)
 */
export function hdrToSrgb<Image extends RgbaImage>(
  image: Image,
  [primaries, transfer]: CodePoints,
): Image {
  const data = image.data.slice() as Image['data'];
  const most = data instanceof Uint16Array ? 65535 : 255;
  const isPq = transfer === 16;
  const [toBt2020, toSrgb] = [between(primaries, BT2020), between(BT2020, SRGB)];
  const curve = Float64Array.from({ length: most + 1 }, (_, i) => (isPq ? pq : hlg)(i / most));
  for (let i = 0; i < data.length; i += 4) {
    const stored: Vector = [curve[data[i]], curve[data[i + 1]], curve[data[i + 2]]];
    const scene = times(toBt2020, stored);
    // For HLG, display light is scene light times a factor. The factor is the pixel's luminance to
    // the power of 0.2, scaled to the peak luminance.
    const bright = isPq ? 1 : Math.max(dot(LUMA, scene), 0) ** 0.2 * MAX;
    const light = scene.map((v) => v * bright) as unknown as Vector;
    const factor = gain(Math.max(...light));
    const shown = times(toSrgb, light);
    for (let k = 0; k < 3; k++) data[i + k] = Math.round(encode(shown[k] * factor) * most);
  }
  return { ...image, data };
}
