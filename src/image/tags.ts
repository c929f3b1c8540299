import type { RgbaImage } from './image.ts';

/**
 * What a file says about its picture beside the pixels, in the form in which it goes into the
 * enlarged file. Byte arrays are copies: nothing else refers to them.
 */
export interface ImageTags {
  /**
   * ICC profile of the RGB values, uncompressed; null: they are sRGB, or `pngColours` alone tells.
   * Never a profile of CMYK or grey.
   */
  readonly icc: Uint8Array<ArrayBuffer> | null;
  /**
   * Whole PNG chunks by which a PNG says what the values mean, grey ones included: those of a PNG as it
   * had them. They mean what `icc` does or, of HDR, what no profile can say.
   */
  readonly pngColours: Uint8Array<ArrayBuffer> | null;
  /** What the values mean; `other`: only the profile or the chunks tell. */
  readonly colorSpace: 'srgb' | 'display-p3' | 'other';
  /**
   * A TIFF structure that begins with `II` or `MM`, without the `Exif\0\0` of JPEG files. It says
   * orientation 1, since the pixels are upright, and has neither sizes in pixels nor a thumbnail.
   */
  readonly exif: Uint8Array<ArrayBuffer> | null;
  /** An XMP packet, UTF-8, of orientation 1. */
  readonly xmp: Uint8Array<ArrayBuffer> | null;
  /** Every pixel is grey (R = G = B), and those of the enlarged image are to be. */
  readonly grey: boolean;
}

/** A colour image in sRGB of which nothing else is known. */
export const NO_TAGS: ImageTags = {
  icc: null,
  pngColours: null,
  colorSpace: 'srgb',
  exif: null,
  xmp: null,
  grey: false,
};

/** An image and what its file said of it. */
export interface DecodedImage {
  readonly image: RgbaImage;
  readonly tags: ImageTags;
  /** Such as `JPEG`; null for what came as pixels. */
  readonly format: string | null;
  readonly animated: boolean;
  /** What is not kept of the source, as sentences for people. */
  readonly notes: readonly string[];
}
