import type { ImageTags } from '../image/tags.ts';
import { ascii, Bytes, join } from './bytes.ts';

/**
 * Colour profiles. Source: ICC.1:2022; the colours of Display P3 adapted to D50 as Apple's profile
 * of that name states them.
 */

/** X, Y, Z of red, green and blue, adapted to D50. */
type Primaries = readonly (readonly [number, number, number])[];

const PRIMARIES: Readonly<Record<'srgb' | 'display-p3', Primaries>> = {
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
const WHITE_D50 = [0.9642, 1, 0.8249] as const;
/** sRGB's curve: ((x + 0.055) / 1.055) ^ 2.4 above 0.04045, x / 12.92 below. */
const CURVE = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045] as const;

export const srgbToLinear = (x: number): number =>
  x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;

/** A profile of red, green and blue by matrix and curves, or of anything else. */
export interface Profile {
  /** Whether it is a profile of RGB values at all. */
  readonly isRgb: boolean;
  readonly colorSpace: ImageTags['colorSpace'];
  /** Null: not by matrix and curves. Curves take and give 0 to 1. */
  readonly shape: {
    readonly primaries: Primaries;
    readonly curves: readonly ((x: number) => number)[];
  } | null;
}

/** Never throws: what cannot be read is no RGB profile. */
export function readProfile(icc: Uint8Array): Profile {
  const bytes = new Bytes(icc);
  if (bytes.ascii(36, 4) !== 'acsp' || bytes.ascii(16, 4) !== 'RGB ') {
    return { isRgb: false, colorSpace: 'other', shape: null };
  }
  const tags = new Map<string, number>();
  const count = Math.min(bytes.u32be(128), 100);
  for (let at = 132; at < 132 + count * 12; at += 12) {
    tags.set(bytes.ascii(at, 4), bytes.u32be(at + 4));
  }
  // Where there are tables, the matrix is only for programs that cannot use them.
  if (tags.has('A2B0')) return { isRgb: true, colorSpace: 'other', shape: null };
  const primaries = ['rXYZ', 'gXYZ', 'bXYZ'].map((name) => readXyz(bytes, tags.get(name)));
  const curves = ['rTRC', 'gTRC', 'bTRC'].map((name) => readCurve(bytes, tags.get(name)));
  if (!primaries.every((p) => p !== null) || !curves.every((c) => c !== null)) {
    return { isRgb: true, colorSpace: 'other', shape: null };
  }
  const isLikeSrgb = [0.02, 0.1, 0.3, 0.5, 0.8].every((x) =>
    curves.every((curve) => Math.abs(curve(x) - srgbToLinear(x)) < 0.002),
  );
  const near = (space: 'srgb' | 'display-p3') =>
    isLikeSrgb &&
    primaries.every((xyz, i) =>
      xyz.every((value, k) => Math.abs(value - PRIMARIES[space][i][k]) < 0.004),
    );
  const colorSpace = near('srgb') ? 'srgb' : near('display-p3') ? 'display-p3' : 'other';
  return { isRgb: true, colorSpace, shape: { primaries, curves } };
}

const fixed = (bytes: Bytes, at: number): number => (bytes.u32be(at) | 0) / 65536;

function readXyz(bytes: Bytes, at: number | undefined): [number, number, number] | null {
  if (at === undefined || bytes.ascii(at, 4) !== 'XYZ ') return null;
  return [fixed(bytes, at + 8), fixed(bytes, at + 12), fixed(bytes, at + 16)];
}

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
  const length = [1, 3, 4, 5, 7][kind];
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

/** A profile for Display P3, where a file tells of it in other words than a profile. */
export function displayP3(): Uint8Array<ArrayBuffer> {
  const number = (value: number) => {
    const out = new Uint8Array(4);
    new DataView(out.buffer).setInt32(0, Math.round(value * 65536));
    return out;
  };
  const u32 = (value: number) => number(value / 65536);
  const xyz = (values: readonly number[]) => join(ascii('XYZ \0\0\0\0'), ...values.map(number));
  const words = (text: string) =>
    join(
      ...[ascii('mluc\0\0\0\0'), u32(1), u32(12), ascii('enUS'), u32(text.length * 2), u32(28)],
      Uint8Array.from({ length: text.length * 2 }, (_, i) => (i % 2 ? text.charCodeAt(i >> 1) : 0)),
    );
  const curve = join(ascii('para\0\0\0\0\0\x03\0\0'), ...CURVE.map(number));
  const [red, green, blue] = PRIMARIES['display-p3'];
  const tags: [string, Uint8Array][] = [
    ['desc', words('Display P3')],
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
    const padded = join(value, new Uint8Array(-value.length & 3));
    table.push(ascii(name), u32(at), u32(value.length));
    values.push(padded);
    at += padded.length;
  }
  const header = new Uint8Array(128);
  header.set(u32(at), 0);
  header.set([4, 0x40], 8);
  header.set(ascii('mntrRGB XYZ '), 12);
  header.set([0x07, 0xea, 0, 1, 0, 1], 24); // 1 January 2026
  header.set(ascii('acsp'), 36);
  header.set(join(...WHITE_D50.map(number)), 68);
  return join(header, u32(tags.length), ...table, ...values);
}
