/**
 * Updates the metadata of images that were rotated upright and enlarged. The functions work on
 * copies. In EXIF data, they do not move anything that an offset refers to, so all offsets stay
 * valid, including those in maker notes.
 * Sources: EXIF 2.32 (TIFF 6.0), XMP parts 1 and 2.
 */

import { ascii, join, latin1 } from './bytes.ts';
import { edited } from './edits.ts';

/** The EXIF orientation of the stored pixels. The value 1 means that they are already upright. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION = 0x0112;
const EXIF_FOLDER = 0x8769;
const [THUMBNAIL_START, THUMBNAIL_LENGTH] = [0x0201, 0x0202];
/**
 * The tags ImageWidth, ImageLength, PixelXDimension and PixelYDimension. They are removed, because
 * they contain the size of the original image.
 */
const SIZES = new Set([0x0100, 0x0101, 0xa002, 0xa003]);

export interface CleanExif {
  /** The stored orientation, or 1 if there is none. */
  readonly orientation: Orientation;
  /** The updated TIFF structure for `ImageTags.exif`, or null if the stored one is damaged. */
  readonly exif: Uint8Array<ArrayBuffer> | null;
}

/** @param stored a TIFF structure that begins with `II` or `MM` */
export function cleanExif(stored: Uint8Array): CleanExif {
  const bytes = new Uint8Array(stored);
  const view = new DataView(bytes.buffer);
  let orientation: Orientation = 1;
  try {
    const mark = view.getUint16(0);
    const little = mark === 0x4949;
    if (!little && mark !== 0x4d4d) return { orientation, exif: null };
    const u16 = (at: number) => view.getUint16(at, little);
    const u32 = (at: number) => view.getUint32(at, little);

    /**
     * Removes the size entries from the image file directory (IFD) at the offset `folder`.
     * @returns the offsets of the remaining entries, by tag
     */
    const tidy = (folder: number): Map<number, number> => {
      const count = u16(folder);
      const entries = new Map<number, number>();
      let kept = folder + 2;
      for (let i = 0; i < count; i++) {
        const entry = folder + 2 + i * 12;
        if (SIZES.has(u16(entry))) continue;
        bytes.copyWithin(kept, entry, entry + 12);
        entries.set(u16(kept), kept);
        kept += 12;
      }
      const end = folder + 2 + count * 12;
      // The last entry of an IFD is followed by the offset of the next IFD.
      const next = u32(end);
      view.setUint16(folder, (kept - folder - 2) / 12, little);
      bytes.fill(0, kept, end + 4);
      view.setUint32(kept, next, little);
      return entries;
    };

    const first = u32(4);
    const entries = tidy(first);
    const turned = entries.get(ORIENTATION);
    if (turned !== undefined) {
      const value = u16(turned + 8);
      if (value >= 1 && value <= 8) orientation = value as Orientation;
      view.setUint16(turned + 8, 1, little);
    }
    const exif = entries.get(EXIF_FOLDER);
    if (exif !== undefined) tidy(u32(exif + 8));

    // The second IFD describes the thumbnail. The IFD and the thumbnail are removed, because the
    // thumbnail shows the original image.
    const link = first + 2 + u16(first) * 12;
    const second = u32(link);
    view.setUint32(link, 0, little);
    if (second === 0) return { orientation, exif: bytes };
    const thumbnail = tidy(second);
    const [start, length] = [THUMBNAIL_START, THUMBNAIL_LENGTH].map((tag) => {
      const entry = thumbnail.get(tag);
      return entry === undefined ? 0 : u32(entry + 8);
    });
    bytes.fill(0, second, second + 2 + u16(second) * 12 + 4);
    bytes.fill(0, start, start + length);
    return { orientation, exif: start + length >= bytes.length ? bytes.slice(0, start) : bytes };
  } catch {
    return { orientation, exif: null };
  }
}

/**
 * Sets the orientation in an XMP packet to 1, and removes the sizes in pixels. All other bytes are
 * unchanged.
 */
export function cleanXmp(stored: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const text = latin1(stored);
  const parts = edited(stored, text.matchAll(PACKET_PARTS), ({ index, 0: found, 1: head }) => {
    const end = index + found.length;
    return head === undefined ? [index, end] : [index + head.length, end, ascii('1')];
  });
  return join(parts);
}

const SIZE_NAMES = 'tiff:Image(?:Width|Length)|exif:Pixel[XY]Dimension';
/**
 * Matches the XMP properties that store the orientation or a size in pixels. They are written as
 * XML attributes or XML elements. For the orientation, group 1 is the text before the value.
 */
const PACKET_PARTS = new RegExp(
  `(tiff:Orientation(?:\\s*=\\s*["']|>))\\d+|\\s(?:${SIZE_NAMES})\\s*=\\s*(?:"[^"]*"|'[^']*')|<(${SIZE_NAMES})>[^<]*</\\2>`,
  'g',
);
