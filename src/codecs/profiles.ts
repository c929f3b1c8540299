import { ascii, join } from './bytes.ts';
import type { CodePoints, Gamma } from './container.ts';
import { PRIMARIES, type Primaries, readGreyCurve } from './icc.ts';
import { inverse, type Matrix, times, transposed, type Vector } from './matrix.ts';

/**
 * Builds ICC profiles with a matrix and curves for files that describe their colours in another
 * way, for example by H.273 code points, by a PNG's gAMA and cHRM values, or by a grey profile.
 * Sources: ICC.1:2022; primaries and transfer functions of ITU-T H.273.
 */

/** The x and y coordinates of white, red, green and blue. */
type Chromaticities = readonly number[];

const [D65, C] = [
  [0.3127, 0.329],
  [0.31, 0.316],
];
const NTSC_1987 = [...D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07];

const CHROMATICITIES: Readonly<Record<number, Chromaticities>> = {
  1: [...D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06],
  4: [...C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08],
  5: [...D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06],
  6: NTSC_1987,
  7: NTSC_1987,
  8: [...C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049],
  9: [...D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046],
  10: [1 / 3, 1 / 3, 1, 0, 0, 1, 0, 0],
  11: [0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06],
  12: [...D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06],
  22: [...D65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077],
};

/** The parameters of a curve that maps `x` to `(a * x + b)^g` if `x >= d`, otherwise to `c * x`. */
type Curve = readonly [g: number, a?: number, b?: number, c?: number, d?: number];

const SRGB: Curve = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045];
/** The transfer curve of video displays (BT.1886). Video cameras use a different curve. */
const VIDEO: Curve = [2.4];
const CURVES: Readonly<Record<number, Curve>> = {
  1: VIDEO,
  4: [2.2],
  5: [2.8],
  6: VIDEO,
  7: [1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913],
  8: [1],
  11: VIDEO,
  13: SRGB,
  14: VIDEO,
  15: VIDEO,
  17: [2.6, (52.37 / 48) ** (1 / 2.6), 0, 0, 0],
};

/** The HDR transfer functions PQ and HLG. A profile's curve cannot express HDR brightness. */
const HDR: readonly number[] = [16, 18];

/** @param code a supported H.273 code */
export const primariesOf = (code: number): Primaries => toD50(CHROMATICITIES[code]) as Primaries;

/** Returns whether both code points are supported. */
export const isKnown = ([primaries, transfer]: CodePoints): boolean =>
  primaries in CHROMATICITIES && (transfer in CURVES || HDR.includes(transfer));

export const isHdr = ([, transfer]: CodePoints): boolean => HDR.includes(transfer);

/** @param points supported code points that are not HDR */
export function profileOfCodePoints([primaries, transfer]: CodePoints): Uint8Array<ArrayBuffer> {
  const name = `H.273 ${primaries}/${transfer}`;
  return rgbProfile(name, primariesOf(primaries), parametric(CURVES[transfer]));
}

/** Builds a Display P3 profile for files that state this colour space but contain no profile. */
export function displayP3(): Uint8Array<ArrayBuffer> {
  return rgbProfile('Display P3', PRIMARIES['display-p3'], parametric(SRGB));
}

/**
 * Builds a profile from a PNG's gAMA and cHRM values. Returns null if the values are unusable or
 * describe sRGB.
 */
export function profileOfGamma({
  exponent,
  chromaticities,
}: Gamma): Uint8Array<ArrayBuffer> | null {
  // As in libpng and browsers, a gamma of about 1 / 2.2 without chromaticities means sRGB.
  if (!chromaticities && Math.abs(exponent * 2.2 - 1) <= 0.05) return null;
  const matrix = chromaticities ? toD50(chromaticities) : PRIMARIES.srgb;
  const gamma = Math.min(1 / exponent, 32767);
  return matrix && rgbProfile(`Gamma ${gamma.toFixed(2)}`, matrix, parametric([gamma]));
}

/**
 * Converts a grey profile to an RGB profile, in which `R = G = B = v` has the colour of the grey
 * value `v`. Returns null if the given profile is not grey or is damaged.
 */
export function rgbOfGrey(icc: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const curve = readGreyCurve(icc);
  return curve && rgbProfile('Grey', PRIMARIES.srgb, curve);
}

const BRADFORD: Matrix = [
  [0.8951, 0.2664, -0.1614],
  [-0.7502, 1.7135, 0.0367],
  [0.0389, -0.0685, 1.0296],
];
const WHITE_D50: Vector = [0.9642, 1, 0.8249];

/**
 * Computes the XYZ coordinates of the primaries, adapted to D50 with the Bradford matrix. Returns
 * null for degenerate chromaticities.
 */
function toD50([wx, wy, rx, ry, gx, gy, bx, by]: Chromaticities): Primaries | null {
  const primaries: Matrix = [
    [rx, ry, 1 - rx - ry],
    [gx, gy, 1 - gx - gy],
    [bx, by, 1 - bx - by],
  ];
  const solve = inverse(transposed(primaries));
  if (!solve || !(wy > 0)) return null;
  const white: Vector = [wx / wy, 1, (1 - wx - wy) / wy];
  const shares = times(solve, white);
  const [from, to] = [times(BRADFORD, white), times(BRADFORD, WHITE_D50)];
  const back = inverse(BRADFORD) as Matrix;
  return primaries.map((primary, k) => {
    const cones = times(BRADFORD, primary).map((v, i) => (v * shares[k] * to[i]) / from[i]);
    return times(back, cones as unknown as Vector);
  }) as unknown as Primaries;
}

const number = (value: number): Uint8Array => {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setInt32(0, Math.round(value * 65536));
  return out;
};
const u32 = (value: number) => number(value / 65536);

/** Builds a tag of type `para`, either with only the exponent or with all five parameters. */
const parametric = (curve: Curve): Uint8Array =>
  join([
    ascii(`para\0\0\0\0\0${curve.length === 1 ? '\0' : '\x03'}\0\0`),
    ...(curve as readonly number[]).map(number),
  ]);

function rgbProfile(
  name: string,
  primaries: Primaries,
  curve: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const xyz = (values: readonly number[]) => join([ascii('XYZ \0\0\0\0'), ...values.map(number)]);
  const words = (text: string) =>
    join([
      ...[ascii('mluc\0\0\0\0'), u32(1), u32(12), ascii('enUS'), u32(text.length * 2), u32(28)],
      Uint8Array.from({ length: text.length * 2 }, (_, i) => (i % 2 ? text.charCodeAt(i >> 1) : 0)),
    ]);
  const [red, green, blue] = primaries;
  const tags: [string, Uint8Array][] = [
    ['desc', words(name)],
    ['cprt', words('None')],
    ['wtpt', xyz(WHITE_D50)],
    ['rXYZ', xyz(red)],
    ['gXYZ', xyz(green)],
    ['bXYZ', xyz(blue)],
    ['rTRC', curve],
    ['gTRC', curve],
    ['bTRC', curve],
  ];
  let at = 132 + tags.length * 12;
  const [table, values]: [Uint8Array[], Uint8Array[]] = [[], []];
  for (const [name, value] of tags) {
    const padded = join([value, new Uint8Array(-value.length & 3)]);
    table.push(ascii(name), u32(at), u32(value.length));
    values.push(padded);
    at += padded.length;
  }
  const header = new Uint8Array(128);
  header.set(u32(at), 0);
  header.set([4, 0x40], 8);
  header.set(ascii('mntrRGB XYZ '), 12);
  header.set([0x07, 0xea, 0, 1, 0, 1], 24); // the date 1 January 2026
  header.set(ascii('acsp'), 36);
  header.set(join(WHITE_D50.map(number)), 68);
  return join([header, u32(tags.length), ...table, ...values]);
}
