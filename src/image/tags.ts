import type { RgbaImage } from './image.ts';

/**
 * What a file says about its image besides the pixels, in the form that is written to the enlarged
 * file. Byte arrays are copies that nothing else refers to.
 */
export interface ImageTags {
  /**
   * ICC profile of the RGB values, uncompressed. Null if the values are sRGB, or if only
   * `pngColours` describes them. Never a CMYK or grey profile.
   */
  readonly icc: Uint8Array<ArrayBuffer> | null;
  /**
   * The colour chunks of a PNG, unchanged, including those for grey. They mean the same as `icc`,
   * or they describe HDR, which a profile cannot express.
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
  /** Whether every pixel is grey (R = G = B) and the enlarged image must be grey too. */
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
  /** A name such as `JPEG`; null if the source was pixels. */
  readonly format: string | null;
  readonly animated: boolean;
  /** What is lost from the source, as sentences for people. */
  readonly notes: readonly string[];
}
