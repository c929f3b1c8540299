import type { ImageTags } from '../image/tags.ts';
import { embedAvif } from './avif/embed.ts';
import type { OutputType } from './formats.ts';
import { embedJpeg } from './jpeg/embed.ts';
import { embedPng } from './png/embed.ts';
import { embedWebp } from './webp/embed.ts';

/** Puts tags into an encoded file instead of the profile and metadata that it has. */
export type Embed = (
  file: Uint8Array<ArrayBuffer>,
  tags: ImageTags,
) => Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;

const EMBED: Readonly<Record<OutputType, Embed>> = {
  'image/png': embedPng,
  'image/jpeg': embedJpeg,
  'image/webp': embedWebp,
  'image/avif': embedAvif,
};

/**
 * Gives an encoded file these tags and no other profile or metadata. Encoders know no profile but
 * sRGB and take no metadata, so their files are rewritten. AVIF files get the profile only.
 */
export const embed = async (
  file: Uint8Array<ArrayBuffer>,
  type: OutputType,
  tags: ImageTags,
): Promise<Uint8Array<ArrayBuffer>> => EMBED[type](file, tags);
