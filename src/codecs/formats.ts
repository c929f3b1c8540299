/** Facts about an output format. They are available without loading its encoder. */
export interface FormatFacts {
  /** The name that is used in commands and on buttons. */
  readonly name: string;
  /** The file extensions, with the usual one first. */
  readonly extensions: readonly string[];
  /** The largest width and height, in pixels, that encoders of this format support. */
  readonly maxSide: number;
}

/**
 * The output formats by MIME type. Each format has a folder that contains its encoder and the code
 * that writes the image's metadata.
 */
export const FORMATS = {
  'image/png': { name: 'png', extensions: ['png'], maxSide: 2 ** 31 - 1 },
  // A JPEG header can state sides of up to 65,535 pixels, but libjpeg, which browsers and Crispen's
  // command line use, supports only 65,500.
  'image/jpeg': { name: 'jpeg', extensions: ['jpg', 'jpeg'], maxSide: 65500 },
  'image/webp': { name: 'webp', extensions: ['webp'], maxSide: 16383 },
  // The limit of libaom and libheif.
  'image/avif': { name: 'avif', extensions: ['avif'], maxSide: 16384 },
} as const satisfies Readonly<Record<string, FormatFacts>>;

/** The MIME types of the output formats. */
export type OutputType = keyof typeof FORMATS;

export const OUTPUT_TYPES = Object.keys(FORMATS) as readonly OutputType[];

export type FormatName = (typeof FORMATS)[OutputType]['name'];
