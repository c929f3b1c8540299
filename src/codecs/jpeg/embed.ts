import type { ImageTags } from '../../image/tags.ts';
import { ascii, Bytes, join } from '../bytes.ts';
import { EXIF_MARK, ICC_MARK, XMP_MARK } from '../container.ts';

/** The maximum size of a segment in bytes, including its length field. */
const MAX_SEGMENT = 65535;

/** Replaces a JPEG's ICC profile, EXIF data and XMP data with those in `tags`. */
export function embedJpeg(file: Uint8Array<ArrayBuffer>, tags: ImageTags): Uint8Array<ArrayBuffer> {
  const bytes = new Bytes(file);
  const segment = (marker: number, ...content: Uint8Array[]) => {
    const body = join(content);
    const length = 2 + body.length;
    return join([Uint8Array.of(0xff, marker, length >> 8, length & 255), body]);
  };
  // If there is a JFIF segment, it must come first, and EXIF must follow it.
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
  return join([file.subarray(0, 2), ...kept, ...added, file.subarray(at)]);
}
