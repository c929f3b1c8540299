import { Bytes, join } from '../src/codecs/bytes.ts';
import { type PngColour, SIGNATURE, tagChunks } from '../src/codecs/png/pngChunks.ts';
import type { ImageTags } from '../src/image/tags.ts';

/** Replaces a PNG's colour and metadata chunks with new chunks that contain `tags`. */
export async function taggedPng(
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
  return join([SIGNATURE, ...parts]);
}
