import type { ImageTags } from '../image/tags.ts';
import { srgbToLinear } from '../srgb.ts';
import { Bytes } from './bytes.ts';
import type { Matrix, Vector } from './matrix.ts';

/**
 * Reads colour profiles. Source: ICC.1:2022. The Display P3 primaries, adapted to D50, are those in
 * Apple's Display P3 profile.
 */

/** The XYZ coordinates of red, green and blue, adapted to D50. */
export type Primaries = Matrix;

export const PRIMARIES: Readonly<Record<'srgb' | 'display-p3', Primaries>> = {
  srgb: [
    [0.43607, 0.22249, 0.01392],
    [0.38515, 0.71687, 0.09708],
    [0.14307, 0.06061, 0.7141],
  ],
  'display-p3': [
    [0.51512, 0.2412, -0.00105],
    [0.29198, 0.69225, 0.04189],
    [0.1571, 0.06657, 0.78407],
  ],
};

/**
 * Returns the colour space of a profile. Only profiles that consist of a matrix and curves are read
 * completely. Returns null if the bytes are not a valid profile or the profile is not for RGB
 * values. This function never throws.
 */
export function profileSpace(icc: Uint8Array): ImageTags['colorSpace'] | null {
  const bytes = new Bytes(icc);
  const tags = readTags(bytes);
  if (!tags || bytes.ascii(16, 4) !== 'RGB ') return null;
  // If a profile has lookup tables, its matrix is only a fallback for programs that cannot use
  // tables.
  if (tags.has('A2B0')) return 'other';
  const primaries = ['rXYZ', 'gXYZ', 'bXYZ'].map((name) => readXyz(bytes, tags.get(name)));
  const curves = ['rTRC', 'gTRC', 'bTRC'].map((name) => readCurve(bytes, tags.get(name)));
  if (!primaries.every((p) => p !== null) || !curves.every((c) => c !== null)) return 'other';
  const isLikeSrgb = [0.02, 0.1, 0.3, 0.5, 0.8].every((x) =>
    curves.every((curve) => Math.abs(curve(x) - srgbToLinear(x)) < 0.002),
  );
  const near = (space: 'srgb' | 'display-p3') =>
    isLikeSrgb &&
    primaries.every((xyz, i) =>
      xyz.every((value, k) => Math.abs(value - PRIMARIES[space][i][k]) < 0.004),
    );
  return near('srgb') ? 'srgb' : near('display-p3') ? 'display-p3' : 'other';
}

/**
 * Returns the offsets of a profile's tags by name. Returns null if the bytes are not a complete
 * profile.
 */
function readTags(bytes: Bytes): Map<string, number> | null {
  const { length } = bytes.data;
  if (bytes.ascii(36, 4) !== 'acsp' || !(bytes.u32be(0) <= length)) return null;
  const tags = new Map<string, number>();
  const count = Math.min(bytes.u32be(128), 100);
  for (let at = 132; at < 132 + count * 12; at += 12) {
    const start = bytes.u32be(at + 4);
    if (!(start + bytes.u32be(at + 8) <= length)) return null;
    tags.set(bytes.ascii(at, 4), start);
  }
  return tags.size > 0 ? tags : null;
}

/** Returns a grey profile's curve tag, or null if the profile is not grey or is damaged. */
export function readGreyCurve(icc: Uint8Array): Uint8Array | null {
  const bytes = new Bytes(icc);
  if (bytes.ascii(16, 8) !== 'GRAYXYZ ') return null;
  const at = readTags(bytes)?.get('kTRC');
  if (at === undefined || !readCurve(bytes, at)) return null;
  const length =
    bytes.ascii(at, 4) === 'curv'
      ? 12 + bytes.u32be(at + 8) * 2
      : 12 + PARAMETERS[bytes.u16be(at + 8)] * 4;
  return icc.subarray(at, at + length);
}

/** The number of parameters for each type of parametric curve. */
const PARAMETERS = [1, 3, 4, 5, 7];

const fixed = (bytes: Bytes, at: number): number => (bytes.u32be(at) | 0) / 65536;

function readXyz(bytes: Bytes, at: number | undefined): Vector | null {
  if (at === undefined || bytes.ascii(at, 4) !== 'XYZ ') return null;
  return [fixed(bytes, at + 8), fixed(bytes, at + 12), fixed(bytes, at + 16)];
}

/** Returns a curve that maps the range 0..1 to the range 0..1, or null if it cannot be read. */
function readCurve(bytes: Bytes, at: number | undefined): ((x: number) => number) | null {
  if (at === undefined) return null;
  const type = bytes.ascii(at, 4);
  if (type === 'curv') {
    const count = bytes.u32be(at + 8);
    if (!(at + 12 + count * 2 <= bytes.data.length)) return null;
    if (count === 0) return (x) => x;
    if (count === 1) {
      const gamma = bytes.u16be(at + 12) / 256;
      return (x) => x ** gamma;
    }
    return (x) => {
      const place = x * (count - 1);
      const low = Math.min(Math.floor(place), count - 2);
      const [a, b] = [0, 2].map((step) => bytes.u16be(at + 12 + low * 2 + step) / 65535);
      return a + (b - a) * (place - low);
    };
  }
  if (type !== 'para') return null;
  const kind = bytes.u16be(at + 8);
  const length = PARAMETERS[kind];
  if (length === undefined) return null;
  const [g, a = 1, b = 0, p3 = 0, p4 = 0, p5 = 0, p6 = 0] = Array.from({ length }, (_, i) =>
    fixed(bytes, at + 12 + i * 4),
  );
  const power = (x: number) => Math.max(0, a * x + b) ** g;
  if (kind === 0) return (x) => x ** g;
  if (kind === 1) return (x) => (x >= -b / a ? power(x) : 0);
  if (kind === 2) return (x) => (x >= -b / a ? power(x) + p3 : p3);
  return (x) => (x >= p4 ? power(x) + p5 : p3 * x + p6);
}
