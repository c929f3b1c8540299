import type { ImageTags } from '../image/tags.ts';
import { embedAvif } from './avif/embed.ts';
import type { OutputType } from './formats.ts';
import { embedJpeg } from './jpeg/embed.ts';
import { embedWebp } from './webp/embed.ts';

/** Replaces the profile and metadata of an encoded file with the given tags. */
export type Embed = (
  file: Uint8Array<ArrayBuffer>,
  tags: ImageTags,
) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;

/** The formats whose encoders support only sRGB and write no metadata. */
type Untagged = Exclude<OutputType, 'image/png'>;

const EMBED: Readonly<Record<Untagged, Embed>> = {
  'image/jpeg': embedJpeg,
  'image/webp': embedWebp,
  'image/avif': embedAvif,
};

/**
 * Replaces the profile and metadata of an encoded file with the given tags. The file has to be
 * rewritten, because its encoder does not write tags. In AVIF files, only the profile is written.
 */
export const embed = async (
  file: Uint8Array<ArrayBuffer>,
  type: Untagged,
  tags: ImageTags,
): Promise<Uint8Array<ArrayBuffer>> => EMBED[type](file, tags);
