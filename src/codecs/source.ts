import { CrispenError } from '../errors.ts';
import type { ImageTags } from '../image/tags.ts';
import { readContainer } from './container.ts';
import { cleanExif, cleanXmp, type Orientation } from './exif.ts';
import { type ImageFormat, isTruncated, readHeader } from './header.ts';
import { displayP3, readProfile } from './icc.ts';
import { checkPixels } from './limits.ts';

/** A file that was looked at, but whose pixels are not decoded. */
export interface SourceFile {
  readonly format: ImageFormat;
  /** Bits per sample. */
  readonly bits: number;
  /** All but whether it is grey, which the pixels tell. */
  readonly tags: Omit<ImageTags, 'grey'>;
  /** How the decoded pixels have to be turned. */
  readonly orientation: Orientation;
  /**
   * The file to be decoded. If `isRaw`, nothing in it makes a decoder change values, which mean what
   * the tags say; else the decoder has to convert them to sRGB.
   */
  readonly bare: readonly Uint8Array<ArrayBuffer>[];
  readonly isRaw: boolean;
  readonly isAnimated: boolean;
  /** What is not kept of the file, as sentences for people. */
  readonly notes: readonly string[];
}

/** Formats that no browser's decoder is asked about, by name. */
const REFUSED: readonly ImageFormat[] = [
  ...(['HEIC', 'TIFF', 'SVG', 'PSD', 'PDF', 'JPEG 2000', 'OpenEXR'] as const),
  ...(['camera raw', 'video'] as const),
];

/**
 * Looks at a file without decoding it: refuses what cannot be decoded, with words that name the cause,
 * before any pixel is allocated, and separates the values from what they mean.
 *
 * @throws CrispenError `DECODE_FAILED`, `IMAGE_TOO_LARGE`
 */
export async function openSource(
  data: Uint8Array<ArrayBuffer>,
  refused: readonly ImageFormat[] = REFUSED,
): Promise<SourceFile> {
  if (data.length === 0) {
    throw new CrispenError('DECODE_FAILED', 'The file is empty.', {
      hint: 'Choose another file, or download this one again.',
    });
  }
  const { format, size } = readHeader(data);
  if (format === 'text') {
    throw new CrispenError('DECODE_FAILED', 'The file contains text, not an image.', {
      hint: 'Its name may end like that of an image; choose a PNG, JPEG, WebP, AVIF or GIF file.',
    });
  }
  if (refused.includes(format)) {
    throw new CrispenError('DECODE_FAILED', `${format} files cannot be read.`, {
      hint: 'Export the picture as PNG or JPEG first.',
    });
  }
  if (size) checkPixels(...size, 'The image');
  if (isTruncated(format, data)) {
    throw new CrispenError('DECODE_FAILED', `The ${format} file is cut short.`, {
      hint: 'A part of it is missing: download or copy it again.',
    });
  }
  const container = await readContainer(format, data);
  const { isCmyk, isAnimated, bits } = container;
  const colours = meaning(format, container);
  const { orientation, exif } = container.exif
    ? cleanExif(container.exif)
    : { orientation: 1 as const, exif: null };
  const notes = [
    ...(isAnimated ? ['Of the animation only the first frame was enlarged.'] : []),
    ...(isCmyk ? ['The CMYK colours were converted to sRGB.'] : []),
    ...(!isCmyk && colours === null && (container.icc || container.cicp)
      ? ['The colours were converted to sRGB.']
      : []),
  ];
  return {
    ...{ format, bits, orientation, isAnimated, notes, isRaw: colours !== null },
    tags: {
      ...(colours ?? { icc: null, colorSpace: 'srgb' as const }),
      exif,
      xmp: container.xmp && cleanXmp(container.xmp),
    },
    bare: container.bare(colours !== null),
  };
}

type Colours = Pick<ImageTags, 'icc' | 'colorSpace'>;
const SRGB: Colours = { icc: null, colorSpace: 'srgb' };

/** What stored values mean that are kept as they are; null: the decoder has to convert them. */
function meaning(
  format: ImageFormat,
  { icc, cicp, isOdd, isCmyk }: Awaited<ReturnType<typeof readContainer>>,
): Colours | null {
  // The profile of a JPEG XL file is compressed by a scheme of its own.
  if (isCmyk || isOdd || format === 'JPEG XL' || format === 'BMP') return null;
  if (icc) {
    const { isRgb, colorSpace } = readProfile(icc);
    return isRgb ? { icc: Uint8Array.from(icc), colorSpace } : null;
  }
  if (!cicp) return SRGB;
  const [primaries, transfer] = cicp;
  if (transfer !== 13 && transfer !== 2) return null;
  if (primaries === 1 || primaries === 2) return SRGB;
  return primaries === 12 ? { icc: displayP3(), colorSpace: 'display-p3' } : null;
}
