/** Creates animated files that no installed encoder can write. */
import sharp from 'sharp';
import { ascii, join } from '../src/codecs/bytes.ts';
import { chunk, headerChunk, SIGNATURE } from '../src/codecs/png/pngChunks.ts';

const words = (...values: number[]) => {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value);
  return new Uint8Array(view.buffer);
};

/** Returns the compressed pixels of a single-coloured square. */
async function pixels(side: number, colour: string): Promise<Uint8Array> {
  const create = { width: side, height: side, channels: 3 as const, background: colour };
  const file = await sharp({ create }).png({ palette: false }).toBuffer();
  const at = file.indexOf('IDAT');
  return Uint8Array.from(file.subarray(at + 4, at + 4 + file.readUInt32BE(at - 4)));
}

/**
 * Creates an animated PNG of red, green and blue squares. With `isDefaultApart`, a white square
 * that is not part of the animation comes first.
 */
export async function animatedPng(
  frames: number,
  { side = 24, isDefaultApart = false } = {},
): Promise<Uint8Array> {
  const colours = ['#f00', '#0f0', '#00f'];
  const parts = [SIGNATURE, headerChunk(side, side, 8, 2), chunk('acTL', words(frames, 0))];
  if (isDefaultApart) parts.push(chunk('IDAT', await pixels(side, '#fff')));
  let sequence = 0;
  for (let i = 0; i < frames; i++) {
    // Each frame lasts a fifth of a second, without disposal or blending.
    const times = Uint8Array.of(0, 1, 0, 5, 0, 0);
    parts.push(chunk('fcTL', join([words(sequence++, side, side, 0, 0), times])));
    const data = await pixels(side, colours[i % 3]);
    if (i === 0 && !isDefaultApart) parts.push(chunk('IDAT', data));
    else parts.push(chunk('fdAT', join([words(sequence++), data])));
  }
  return join([...parts, chunk('IEND', new Uint8Array())]);
}

const box = (type: string, ...body: Uint8Array[]) => {
  const content = join(body);
  return join([words(content.length + 8), ascii(type), content]);
};

/**
 * Creates the boxes of an AVIF sequence, down to the box that contains the sample sizes. The file
 * cannot be decoded.
 */
export function avifSequence(samples: number): Uint8Array {
  const sizes = box('stsz', words(0, 1, samples));
  const track = box('trak', box('mdia', box('minf', box('stbl', sizes))));
  return join([box('ftyp', ascii('avis'), words(0), ascii('avifavismiaf')), box('moov', track)]);
}
