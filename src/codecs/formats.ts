/** The output formats, and all that is told of one beside its encoder: the one place of a format. */
export interface FormatFacts {
  /** As commands and buttons call it. */
  readonly name: string;
  /** Of files, the usual one first. */
  readonly extensions: readonly string[];
  /** Largest width and height that it can hold. */
  readonly maxSide: number;
}

/** By MIME type. */
export const FORMATS = {
  'image/png': { name: 'png', extensions: ['png'], maxSide: 2 ** 31 - 1 },
  // Its header has room for 65,535, but libjpeg, by which browsers and the command line write, stops
  // at 65,500.
  'image/jpeg': { name: 'jpeg', extensions: ['jpg', 'jpeg'], maxSide: 65500 },
  'image/webp': { name: 'webp', extensions: ['webp'], maxSide: 16383 },
  // The limit of libaom and libheif.
  'image/avif': { name: 'avif', extensions: ['avif'], maxSide: 16384 },
} as const satisfies Readonly<Record<string, FormatFacts>>;

/** MIME types of the output formats. */
export type OutputType = keyof typeof FORMATS;

export const OUTPUT_TYPES = Object.keys(FORMATS) as readonly OutputType[];

export type FormatName = (typeof FORMATS)[OutputType]['name'];
