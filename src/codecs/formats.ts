import { avif } from './avif/meta.ts';
import { jpeg } from './jpeg/meta.ts';
import { png } from './png/meta.ts';
import { webp } from './webp/meta.ts';

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
 * The output formats by MIME type. Each format has a folder that contains its `FormatFacts`, its
 * encoder and the code that writes the image's metadata.
 */
export const FORMATS = {
  'image/png': png,
  'image/jpeg': jpeg,
  'image/webp': webp,
  'image/avif': avif,
} as const satisfies Readonly<Record<string, FormatFacts>>;

/** The MIME types of the output formats. */
export type OutputType = keyof typeof FORMATS;

export const OUTPUT_TYPES = Object.keys(FORMATS) as readonly OutputType[];

export type FormatName = (typeof FORMATS)[OutputType]['name'];
