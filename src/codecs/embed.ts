import type { ImageTags } from '../image/tags.ts';
import { ascii, Bytes, join } from './bytes.ts';
import { EXIF_MARK, ICC_MARK, WEBP, webpChunks, XMP_MARK } from './container.ts';
import type { OutputType } from './formats.ts';
import { isoBoxes } from './iso.ts';
import { type PngColour, SIGNATURE, tagChunks } from './pngChunks.ts';

/**
 * An encoded file with the tags in it and no other profile or metadata. Encoders of browsers know
 * none but sRGB and take no metadata, so what they made is taken apart and put together again.
 * AVIF takes the profile only.
 */
export async function embed(
  file: Uint8Array<ArrayBuffer>,
  type: OutputType,
  tags: ImageTags,
): Promise<Uint8Array<ArrayBuffer>> {
  if (type === 'image/png') return embedPng(file, tags);
  if (type === 'image/jpeg') return embedJpeg(file, tags);
  return type === 'image/webp' ? embedWebp(file, tags) : embedAvif(file, tags);
}

async function embedPng(
  file: Uint8Array<ArrayBuffer>,
  tags: ImageTags,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Bytes(file);
  const dropped = [
    'iCCP',
    'sRGB',
    'gAMA',
    'cHRM',
    'cICP',
    'mDCV',
    'cLLI',
    'eXIf',
    'iTXt',
    'tEXt',
    'zTXt',
    'tIME',
  ];
  const parts: Uint8Array[] = [];
  for (let at = 8; at + 12 <= file.length; ) {
    const type = bytes.ascii(at + 4, 4);
    const end = at + 12 + bytes.u32be(at);
    if (!dropped.includes(type)) parts.push(file.subarray(at, end));
    if (type === 'IHDR') parts.push(...(await tagChunks(tags, bytes.at(25) as PngColour)));
    at = end;
  }
  return join(SIGNATURE, ...parts);
}

/** Bytes of a segment, its length field included. */
const MAX_SEGMENT = 65535;

function embedJpeg(file: Uint8Array<ArrayBuffer>, tags: ImageTags): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes(file);
  const segment = (marker: number, ...content: Uint8Array[]) => {
    const length = 2 + content.reduce((sum, part) => sum + part.length, 0);
    return join(Uint8Array.of(0xff, marker, length >> 8, length & 255), ...content);
  };
  // JFIF has to come first, where it is; EXIF would like to be first too.
  const kept: Uint8Array[] = [];
  let at = 2;
  while (bytes.at(at + 1) >= 0xe0 && bytes.at(at + 1) <= 0xef) {
    const end = at + 2 + bytes.u16be(at + 2);
    const isMeta = [0xe1, 0xe2, 0xed].includes(bytes.at(at + 1));
    if (!isMeta) kept.push(file.subarray(at, end));
    at = end;
  }
  const { icc, exif, xmp } = tags;
  const fits = (mark: string, data: Uint8Array | null): data is Uint8Array =>
    data !== null && data.length + mark.length + 2 <= MAX_SEGMENT;
  const added: Uint8Array[] = [];
  if (fits(EXIF_MARK, exif)) added.push(segment(0xe1, ascii(EXIF_MARK), exif));
  if (fits(XMP_MARK, xmp)) added.push(segment(0xe1, ascii(XMP_MARK), xmp));
  const room = MAX_SEGMENT - 2 - ICC_MARK.length - 2;
  const count = icc ? Math.ceil(icc.length / room) : 0;
  for (let i = 0; icc && i < count; i++) {
    const part = icc.subarray(i * room, (i + 1) * room);
    added.push(segment(0xe2, ascii(ICC_MARK), Uint8Array.of(i + 1, count), part));
  }
  return join(file.subarray(0, 2), ...kept, ...added, file.subarray(at));
}

function embedWebp(file: Uint8Array<ArrayBuffer>, tags: ImageTags): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes(file);
  const { icc, exif, xmp } = tags;
  const chunks = [...webpChunks(bytes)];
  const pixels = chunks.filter(({ type }) => ['ALPH', 'VP8 ', 'VP8L'].includes(type));
  const image = pixels.at(-1);
  if (!image) return file;
  const chunk = (type: string, data: Uint8Array) => {
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, data.length, true);
    return join(ascii(type), size, data, new Uint8Array(data.length & 1));
  };
  const stored = pixels.map(({ type, start, end }) => chunk(type, file.subarray(start, end)));
  const head = (...content: Uint8Array[]) => {
    const whole = join(ascii('RIFF\0\0\0\0WEBP'), ...content);
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

/**
 * Adds a property with the profile to the primary item: 12 bytes and the profile in `ipco`, an
 * association in `ipma`, and as much to every file offset in `iloc`.
 */
function embedAvif(file: Uint8Array<ArrayBuffer>, { icc }: ImageTags): Uint8Array<ArrayBuffer> {
  if (!icc) return file;
  const bytes = new Bytes(file);
  const find = (type: string, from: number, to: number) => {
    const box = [...isoBoxes(bytes, from, to)].find((one) => one.type === type);
    if (!box) throw new TypeError(`no ${type} in the AVIF file`);
    return box;
  };
  const meta = find('meta', 0, file.length);
  const iprp = find('iprp', meta.body + 4, meta.end);
  const ipco = find('ipco', iprp.body, iprp.end);
  const ipma = find('ipma', iprp.body, iprp.end);
  const iloc = find('iloc', meta.body + 4, meta.end);
  const properties = [...isoBoxes(bytes, ipco.body, ipco.end)];
  const pitm = find('pitm', meta.body + 4, meta.end);
  const primary =
    bytes.at(pitm.body) === 0 ? bytes.u16be(pitm.body + 4) : bytes.u32be(pitm.body + 4);
  const property = properties.length + 1;

  // The associations anew: version and flags tell how wide ids and indices are.
  const version = bytes.at(ipma.body);
  const wide = (bytes.at(ipma.body + 3) & 1) !== 0;
  const idBytes = version < 1 ? 2 : 4;
  const rows: Uint8Array[] = [file.subarray(ipma.body, ipma.body + 8)];
  let at = ipma.body + 8;
  for (let entry = bytes.u32be(ipma.body + 4); entry > 0; entry--) {
    const count = bytes.at(at + idBytes);
    const list = at + idBytes + 1;
    const end = list + count * (wide ? 2 : 1);
    const isPrimary = (idBytes === 2 ? bytes.u16be(at) : bytes.u32be(at)) === primary;
    rows.push(file.subarray(at, at + idBytes), Uint8Array.of(count + (isPrimary ? 1 : 0)));
    rows.push(file.subarray(list, end));
    if (isPrimary)
      rows.push(wide ? Uint8Array.of(property >> 8, property & 255) : Uint8Array.of(property));
    at = end;
  }
  const box = (type: string, ...content: Uint8Array[]) => {
    const whole = join(new Uint8Array(4), ascii(type), ...content);
    new DataView(whole.buffer).setUint32(0, whole.length);
    return whole;
  };
  const newIpma = box('ipma', ...rows);
  const colr = box('colr', ascii('prof'), icc);
  const grown = colr.length + newIpma.length - (ipma.end - ipma.start);
  const newIprp = box(
    'iprp',
    box('ipco', file.subarray(ipco.body, ipco.end), colr),
    ...[...isoBoxes(bytes, iprp.body, iprp.end)]
      .filter(({ type }) => type !== 'ipco')
      .map(({ type, start, end }) => (type === 'ipma' ? newIpma : file.subarray(start, end))),
  );
  const whole = join(
    file.subarray(0, meta.start),
    box('meta', file.subarray(meta.body, iprp.start), newIprp, file.subarray(iprp.end, meta.end)),
    file.subarray(meta.end),
  );
  // What stands in front of the properties has not moved.
  shiftOffsets(whole, iloc.start < iprp.start ? iloc.body : iloc.body + grown, meta.end, grown);
  return whole;
}

/** Adds to the offsets of an item location box that point behind the old end of the metadata. */
function shiftOffsets(file: Uint8Array, body: number, from: number, by: number): void {
  const bytes = new Bytes(file);
  const view = new DataView(file.buffer, file.byteOffset);
  const version = bytes.at(body);
  const sizes = bytes.u16be(body + 4);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  const wideIds = version === 2;
  const shift = (at: number, size: number) => {
    if (size !== 4 && size !== 8) return;
    const low = at + size - 4;
    const value = view.getUint32(low);
    if (value >= from) view.setUint32(low, value + by);
  };
  let at = body + 6;
  const items = wideIds ? bytes.u32be(at) : bytes.u16be(at);
  at += wideIds ? 4 : 2;
  for (let item = 0; item < items; item++) {
    at += wideIds ? 4 : 2;
    const method = version > 0 ? bytes.u16be(at) & 15 : 0;
    at += (version > 0 ? 2 : 0) + 2;
    const base = at;
    at += baseSize;
    const extents = bytes.u16be(at);
    at += 2;
    const hasBase = baseSize > 0 && view.getUint32(base + baseSize - 4) > 0;
    if (method === 0 && hasBase) shift(base, baseSize);
    for (let extent = 0; extent < extents; extent++) {
      at += indexSize;
      if (method === 0 && !hasBase) shift(at, offsetSize);
      at += offsetSize + lengthSize;
    }
  }
}
