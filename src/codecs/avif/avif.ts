import createModule from '@jsquash/avif/codec/enc/avif_enc.js';
import { CrispenError } from '../../errors.ts';
import { depthOf, type RgbaImage } from '../../image/image.ts';
import { toRgba8 } from '../../image/pixels.ts';
import type { Encoder } from '../encoder.ts';
import { embedAvif } from './embed.ts';

/** The speed setting of libaom, from 0 (slow) to 10. */
const SPEED = 8;
const OPTIONS = {
  qualityAlpha: -1,
  denoiseLevel: 0,
  tileColsLog2: 0,
  tileRowsLog2: 0,
  speed: SPEED,
  // 3 means 4:4:4 (full chroma resolution).
  subsample: 3,
  chromaDeltaQ: false,
  sharpness: 0,
  tune: 0,
  enableSharpYUV: false,
  lossless: false,
};

let codec: ReturnType<typeof createModule> | null = null;

/**
 * Encodes AVIF with libavif and libaom in WebAssembly, because browsers have no AVIF encoder. The
 * WebAssembly file (3.5 MB) is stored next to the built JavaScript files and is fetched on first
 * use. The encoder uses only one thread, because threads require a page with special HTTP headers.
 * 16-bit images are written with 10 bits per sample.
 */
export const avif: Encoder = async (image, quality, tags) => {
  const { width, height } = image;
  try {
    codec ??= createModule({ noInitialRun: true });
    const { encode } = await codec;
    const isDeep = depthOf(image) === 16;
    const data = isDeep ? toTenBits(image.data) : toRgba8(image).data;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength) as BufferSource;
    const bitDepth = isDeep ? 10 : 8;
    const options = { ...OPTIONS, quality: Math.round(quality * 100), bitDepth };
    const file = encode(bytes, width, height, options);
    if (!file) throw new Error('The encoder returned nothing.');
    const whole = embedAvif(Uint8Array.from(file), tags);
    return new Blob([whole], { type: 'image/avif' });
  } catch (cause) {
    // After an error, such as running out of memory, the module cannot be used again.
    codec = null;
    throw new CrispenError('ENCODE_FAILED', `The ${width} x ${height} AVIF was not encoded.`, {
      hint: 'The encoder could not be loaded, or the image is too large for it. Choose PNG or JPEG.',
      cause,
    });
  }
};

function toTenBits(samples: RgbaImage['data']): Uint16Array {
  return Uint16Array.from(samples, (v) => Math.round((v * 1023) / 65535));
}
