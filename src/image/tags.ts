import type { RgbaImage } from './image.ts';

/**
 * What a file says about its image besides the pixels, in the form that goes into the enlarged
 * file. Byte arrays are copies; nothing else refers to them.
 */
export interface ImageTags {
  /**
   * ICC profile of the RGB values, uncompressed. Null: the values are sRGB, or only `pngColours`
   * describes them. Never a CMYK or grey profile.
   */
  readonly icc: Uint8Array<ArrayBuffer> | null;
  /**
   * The colour chunks of a PNG, unchanged, grey ones included. They mean the same as `icc`, or HDR,
   * which a profile cannot express.
   */
  readonly pngColours: Uint8Array<ArrayBuffer> | null;
  /** The meaning of the values. `other`: only the profile or the chunks describe it. */
  readonly colorSpace: 'srgb' | 'display-p3' | 'other';
  /**
   * A TIFF structure that begins with `II` or `MM`, without the `Exif\0\0` of JPEG files. Its
   * orientation is 1, because the pixels are upright. It has no sizes in pixels and no thumbnail.
   */
  readonly exif: Uint8Array<ArrayBuffer> | null;
  /** An XMP packet, UTF-8, with orientation 1. */
  readonly xmp: Uint8Array<ArrayBuffer> | null;
  /** Every pixel is grey (R = G = B), and the enlarged image must be grey too. */
  readonly grey: boolean;
}

/** A colour image in sRGB without further information. */
export const NO_TAGS: ImageTags = {
  icc: null,
  pngColours: null,
  colorSpace: 'srgb',
  exif: null,
  xmp: null,
  grey: false,
};

/** An image and what its file says about it. */
export interface DecodedImage {
  readonly image: RgbaImage;
  readonly tags: ImageTags;
  /** Such as `JPEG`; null if the source was pixels. */
  readonly format: string | null;
  readonly animated: boolean;
  /** What of the source is not kept, as sentences for people. */
  readonly notes: readonly string[];
}
