import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { deflateSync } from 'node:zlib';
import createModule from '@jsquash/avif/codec/enc/avif_enc.js';
import sharp from 'sharp';
import { join } from '../src/codecs/bytes.ts';
import { chunk, headerChunk, SIGNATURE } from '../src/codecs/png/pngChunks.ts';
import { profileOfCodePoints, profileOfGamma } from '../src/codecs/profiles.ts';

/** Creates files with every kind of colour information, chunk by chunk. */

const ENCODER = '@jsquash/avif/codec/enc/avif_enc.wasm';

export const [COLOURS_WIDTH, COLOURS_HEIGHT] = [32, 24];

/**
 * Returns the colour at a position: grey from black to white, saturated colours, or dark colours,
 * where transfer curves are steep.
 */
export function colourAt(x: number, y: number): readonly [number, number, number] {
  const t = x / (COLOURS_WIDTH - 1);
  if (y < 8) return [t, t, t];
  if (y < 16)
    return [
      [t, 0.2, 1 - t],
      [1, t, 0.1],
      [0.3, 1, t],
      [1 - t, t, 1],
    ][y % 4] as never;
  return [t * 0.2, (y - 16) / 40, 0.15 - t * 0.1];
}

const u32s = (...values: readonly number[]): Uint8Array => {
  const out = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, i) => {
    out.setUint32(i * 4, value);
  });
  return new Uint8Array(out.buffer);
};

export const gAMA = (exponent: number) => chunk('gAMA', u32s(Math.round(exponent * 100_000)));
export const cHRM = (...xy: readonly number[]) =>
  chunk('cHRM', u32s(...xy.map((v) => Math.round(v * 100_000))));
export const cICP = (primaries: number, transfer: number, matrix = 0, fullRange = 1) =>
  chunk('cICP', Uint8Array.of(primaries, transfer, matrix, fullRange));
export const sRGB = chunk('sRGB', Uint8Array.of(0));
export const iCCP = (profile: Uint8Array) =>
  chunk('iCCP', join([new TextEncoder().encode('x\0\0'), deflateSync(profile)]));

/** The x and y coordinates of white, red, green and blue. */
export const CHROMATICITIES = {
  sRGB: [0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06],
  P3: [0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06],
  'Rec. 2020': [0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046],
  'Adobe RGB': [0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06],
  ProPhoto: [0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001],
} as const;

export interface PngKind {
  readonly depth?: 8 | 16;
  /** The PNG colour type: grey, RGB, palette, or grey and RGB with alpha. */
  readonly colour?: 0 | 2 | 3 | 4 | 6;
  /** Whether all pixels have R = G = B, for any colour type. */
  readonly isGrey?: boolean;
}

/** Creates a PNG of `colourAt` with the given chunks after the header. */
export function pngOf(
  chunks: readonly Uint8Array[],
  { depth = 8, colour = 2, isGrey = false }: PngKind = {},
): Buffer<ArrayBuffer> {
  const most = 2 ** depth - 1;
  const rows: number[] = [];
  const palette: number[] = [];
  for (let y = 0; y < COLOURS_HEIGHT; y++) {
    rows.push(0);
    for (let x = 0; x < COLOURS_WIDTH; x++) {
      const rgb = isGrey ? Array(3).fill(colourAt(x, y)[1]) : colourAt(x, y);
      const stored = rgb.map((v) => Math.round(v * most));
      if (colour === 3) {
        // The image has as many colours as a palette can contain.
        const place = (y >> 1) * 16 + (x >> 1);
        if (x % 2 === 0 && y % 2 === 0) palette.push(...stored);
        rows.push(place);
        continue;
      }
      const samples = colour & 2 ? stored : [stored[1]];
      if (colour & 4) samples.push(x % 5 === 0 ? Math.round(most / 2) : most);
      for (const v of samples) rows.push(...(depth === 16 ? [v >> 8, v & 255] : [v]));
    }
  }
  const header = headerChunk(COLOURS_WIDTH, COLOURS_HEIGHT, depth, colour as 2);
  return Buffer.concat([
    SIGNATURE,
    header,
    ...chunks,
    ...(colour === 3 ? [chunk('PLTE', Uint8Array.from(palette))] : []),
    chunk('IDAT', deflateSync(Uint8Array.from(rows))),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

const AVIF = {
  quality: 90,
  qualityAlpha: -1,
  denoiseLevel: 0,
  tileColsLog2: 0,
  tileRowsLog2: 0,
  speed: 8,
  chromaDeltaQ: false,
  sharpness: 0,
  tune: 0,
  enableSharpYUV: false,
  lossless: false,
};
let encoder: ReturnType<typeof createModule> | null = null;

/** Creates an opaque AVIF of the same image. */
export async function avifOf(
  [primaries, transfer]: readonly [number, number],
  chroma: '4:4:4' | '4:2:0' = '4:4:4',
): Promise<Buffer<ArrayBuffer>> {
  encoder ??= readFile(createRequire(import.meta.url).resolve(ENCODER)).then((wasmBinary) =>
    createModule({ noInitialRun: true, wasmBinary: Uint8Array.from(wasmBinary).buffer }),
  );
  const pixels = await sharp(pngOf([])).ensureAlpha().raw().toBuffer();
  const options = { ...AVIF, subsample: chroma === '4:4:4' ? 3 : 1, bitDepth: 8 };
  const encoded = (await encoder).encode(pixels, COLOURS_WIDTH, COLOURS_HEIGHT, options);
  if (!encoded) throw new Error('The encoder returned nothing.');
  const file = Buffer.from(encoded);
  const nclx = file.indexOf('colrnclx');
  if (nclx < 0) throw new Error('The AVIF has no code points.');
  file.writeUInt16BE(primaries, nclx + 8);
  file.writeUInt16BE(transfer, nclx + 10);
  return file;
}

/** Creates a grey profile with `gamma` as the exponent of its curve. */
export function greyProfile(gamma: number): Uint8Array<ArrayBuffer> {
  const rgb = Buffer.from(
    profileOfGamma({ exponent: 1 / gamma, chromaticities: CHROMATICITIES.P3 })!,
  );
  rgb.write('GRAY', 16, 'latin1');
  // The red curve's tag is renamed to that of the grey curve.
  rgb.write('kTRC', rgb.indexOf('rTRC'), 'latin1');
  return Uint8Array.from(rgb);
}

export { profileOfCodePoints, profileOfGamma };
