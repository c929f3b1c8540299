import type { ImageTags } from '../../image/tags.ts';
import { ascii, Bytes, join } from '../bytes.ts';
import { WEBP, webpChunks } from '../container.ts';

/** Replaces the profile, EXIF and XMP in a WebP with those in the tags. */
export function embedWebp(file: Uint8Array<ArrayBuffer>, tags: ImageTags): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes(file);
  const { icc, exif, xmp } = tags;
  const chunks = [...webpChunks(bytes)];
  const pixels = chunks.filter(({ type }) => ['ALPH', 'VP8 ', 'VP8L'].includes(type));
  const image = pixels.at(-1);
  if (!image) return file;
  const chunk = (type: string, data: Uint8Array) => {
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, data.length, true);
    return join([ascii(type), size, data, new Uint8Array(data.length & 1)]);
  };
  const stored = pixels.map(({ type, start, end }) => chunk(type, file.subarray(start, end)));
  const head = (...content: Uint8Array[]) => {
    const whole = join([ascii('RIFF\0\0\0\0WEBP'), ...content]);
    new DataView(whole.buffer).setUint32(4, whole.length - 8, true);
    return whole;
  };
  const hasAlpha =
    pixels.length > 1 || (image.type === 'VP8L' && (bytes.at(image.start + 4) & 0x10) !== 0);
  if (!icc && !exif && !xmp && pixels.length === 1) return head(...stored);
  const [width, height] = webpSize(bytes, image.type, image.start);
  const features = new Uint8Array(10);
  features[0] =
    (icc ? WEBP.icc : 0) |
    (hasAlpha ? WEBP.alpha : 0) |
    (exif ? WEBP.exif : 0) |
    (xmp ? WEBP.xmp : 0);
  [width - 1, height - 1].forEach((side, i) => {
    features.set([side & 255, (side >> 8) & 255, side >> 16], 4 + i * 3);
  });
  return head(
    chunk('VP8X', features),
    ...(icc ? [chunk('ICCP', icc)] : []),
    ...stored,
    ...(exif ? [chunk('EXIF', exif)] : []),
    ...(xmp ? [chunk('XMP ', xmp)] : []),
  );
}

function webpSize(bytes: Bytes, type: string, start: number): [number, number] {
  if (type === 'VP8 ') return [bytes.u16le(start + 6) & 0x3fff, bytes.u16le(start + 8) & 0x3fff];
  const packed = bytes.u32le(start + 1);
  return [(packed & 0x3fff) + 1, ((packed >>> 14) & 0x3fff) + 1];
}
