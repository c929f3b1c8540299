import { CrispenError } from '../errors.ts';
import { type ImageTags, NO_TAGS } from '../image/tags.ts';
import { type CodePoints, readContainer } from './container.ts';
import { cleanExif, cleanXmp, type Orientation } from './exif.ts';
import { type ImageFormat, type ImageHeader, isTruncated, readHeader } from './header.ts';
import { checkPixels } from './limits.ts';
import { type Meaning, meaningOf } from './meaning.ts';

/** A file that has been inspected but not decoded. */
export interface SourceFile {
  readonly format: ImageFormat;
  /** The number of bits per sample. */
  readonly bits: number;
  /** All tags except `grey`, which depends on the pixels. */
  readonly tags: Omit<ImageTags, 'grey'>;
  /** The EXIF orientation of the decoded pixels. */
  readonly orientation: Orientation;
  /**
   * The file for the decoder, as consecutive parts. If `isRaw` is true, the decoder returns the
   * stored values, and the tags describe their colour space. Otherwise the decoder must convert the
   * values to sRGB.
   */
  readonly bare: readonly Uint8Array<ArrayBuffer>[];
  readonly isRaw: boolean;
  /** The H.273 code points if the values are raw HDR values, otherwise null. */
  readonly hdr: CodePoints | null;
  readonly isAnimated: boolean;
  /** Messages that tell the user what information from the file is lost. */
  readonly notes: readonly string[];
}

/** The formats that are rejected by default, because most browsers cannot decode them. */
const REFUSED: readonly ImageFormat[] = [
  'HEIC',
  'TIFF',
  'SVG',
  'PSD',
  'PDF',
  'JPEG 2000',
  'OpenEXR',
  'camera raw',
  'video',
];

/**
 * How a result stores its colour space. PNG chunks can express every colour space. Profiles cannot
 * express HDR. Bitmaps and canvases (`screen`) support only sRGB and Display P3.
 */
export type Carrier = 'png' | 'profile' | 'screen';

export interface OpenOptions {
  /**
   * Default: `png`. If the carrier cannot express the colour space, the decoder converts the values
   * to sRGB.
   */
  readonly carrier?: Carrier;
  /** The formats to reject. Default: all known formats that most browsers cannot decode. */
  readonly refused?: readonly ImageFormat[];
  readonly signal?: AbortSignal | undefined;
}

const carries = ({ hdr, colorSpace }: Meaning, carrier: Carrier): boolean =>
  carrier === 'png' || (carrier === 'profile' ? hdr === null : colorSpace !== 'other');

/**
 * Returns a file's header. Rejects a file whose first bytes show that it cannot be decoded or is
 * too large.
 * @param data the whole file or its first bytes
 * @throws CrispenError `DECODE_FAILED`, `IMAGE_TOO_LARGE`
 */
export function checkStart(
  data: Uint8Array,
  refused: readonly ImageFormat[] = REFUSED,
): ImageHeader {
  if (data.length === 0) {
    throw new CrispenError('DECODE_FAILED', 'The file is empty.', {
      hint: 'Choose another file, or download this one again.',
    });
  }
  const header = readHeader(data);
  const { format, size } = header;
  if (format === 'text') {
    throw new CrispenError('DECODE_FAILED', 'The file contains text, not an image.', {
      hint: 'It may have the name of an image, but not the content. Choose a PNG, JPEG, WebP, AVIF or GIF file.',
    });
  }
  if (refused.includes(format)) {
    throw new CrispenError('DECODE_FAILED', `${format} files cannot be read.`, {
      hint: 'Export the image as PNG or JPEG first.',
    });
  }
  if (size) checkPixels(...size, 'The image');
  return header;
}

/**
 * Inspects a file without decoding it, and separates the encoded pixels from the description of
 * their colour space. Before memory for pixels is allocated, files that cannot be decoded are
 * rejected with an error that states the cause.
 *
 * @throws CrispenError `DECODE_FAILED`, `IMAGE_TOO_LARGE`, `ABORTED`
 */
export async function openSource(
  data: Uint8Array<ArrayBuffer>,
  { carrier = 'png', refused = REFUSED, signal }: OpenOptions = {},
): Promise<SourceFile> {
  const { format } = checkStart(data, refused);
  if (isTruncated(format, data)) {
    throw new CrispenError('DECODE_FAILED', `The ${format} file is incomplete.`, {
      hint: 'Its end is missing: download or copy it again.',
    });
  }
  const container = await readContainer(format, data, signal);
  const { animation, bits } = container;
  const found = await meaningOf(format, container);
  const meaning = found && carries(found, carrier) ? found : null;
  const { orientation, exif } = container.exif
    ? cleanExif(container.exif)
    : { orientation: 1 as const, exif: null };
  const { icc, pngColours, colorSpace } = meaning ?? NO_TAGS;
  return {
    format,
    bits,
    orientation,
    isAnimated: animation !== null,
    isRaw: meaning !== null,
    hdr: meaning?.hdr ?? null,
    notes: [
      ...(animation ? [`Of the animation only the ${animation} was enlarged.`] : []),
      ...(format === 'AVIF' && bits > 8 ? [`Of ${bits} bits per sample 8 were kept.`] : []),
      ...(container.isCmyk ? ['The CMYK colours were converted to sRGB.'] : []),
      ...(found?.isProfileUnfit ? ['The profile does not fit the pixels and was left out.'] : []),
      ...(found && !meaning ? [CONVERTED] : []),
    ],
    tags: { icc, pngColours, colorSpace, exif, xmp: container.xmp && cleanXmp(container.xmp) },
    bare: container.bare(meaning !== null),
  };
}

export const CONVERTED = 'The colours were converted to sRGB.';
