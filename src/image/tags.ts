import type { RgbaImage } from './image.ts';

/**
 * The colour information and metadata from an image file, already adapted for the file of the
 * enlarged image. Byte arrays are copies that nothing else refers to.
 */
export interface ImageTags {
  /**
   * The ICC profile of the RGB values, uncompressed. Null if the values are sRGB, or if only
   * `pngColours` describes them. It is never a CMYK or grey profile.
   */
  readonly icc: Uint8Array<ArrayBuffer> | null;
  /**
   * PNG chunks that state the colour space. They are copied unchanged from a PNG file, or built for
   * an HDR image or a grey profile. They describe the same colour space as `icc`, or an HDR colour
   * space, which an ICC profile cannot express.
   */
  readonly pngColours: Uint8Array<ArrayBuffer> | null;
  /**
   * The colour space of the values. If this is `other`, only `icc` or `pngColours` describes the
   * colour space.
   */
  readonly colorSpace: 'srgb' | 'display-p3' | 'other';
  /**
   * A TIFF structure that begins with `II` or `MM`, without the prefix `Exif\0\0` that JPEG files
   * contain. Its orientation is 1, because the pixels are upright. It contains neither the image's
   * width and height nor a thumbnail.
   */
  readonly exif: Uint8Array<ArrayBuffer> | null;
  /** An XMP packet in UTF-8 with orientation 1. */
  readonly xmp: Uint8Array<ArrayBuffer> | null;
  /** Whether every pixel is grey (`R = G = B`). If so, the enlarged image must be grey too. */
  readonly grey: boolean;
}

/** The tags of a colour image in sRGB without metadata. */
export const NO_TAGS: ImageTags = {
  icc: null,
  pngColours: null,
  colorSpace: 'srgb',
  exif: null,
  xmp: null,
  grey: false,
};

/** A decoded image with the information from its file. */
export interface DecodedImage {
  readonly image: RgbaImage;
  readonly tags: ImageTags;
  /** The name of the file format, such as `JPEG`; null if the source was not a file. */
  readonly format: string | null;
  readonly animated: boolean;
  /** Messages that tell the user what was lost from the source. */
  readonly notes: readonly string[];
}
