import type { ImageTags } from '../image/tags.ts';
import type { CodePoints, Container } from './container.ts';
import type { ImageFormat } from './header.ts';
import { profileSpace } from './icc.ts';
import { chunk, profileChunk } from './png/pngChunks.ts';
import {
  displayP3,
  isHdr,
  isKnown,
  profileOfCodePoints,
  profileOfGamma,
  rgbOfGrey,
} from './profiles.ts';

/** Describes the colour space of the values stored in a file, before a decoder converts them. */
export interface Meaning extends Pick<ImageTags, 'icc' | 'pngColours' | 'colorSpace'> {
  /**
   * The H.273 code points of the primaries and the transfer function if the values are HDR,
   * otherwise null. Of the output formats, only PNG stores them.
   */
  readonly hdr: CodePoints | null;
  /**
   * Whether the file's profile is damaged or is for a different kind of pixel data. Such a profile
   * is ignored.
   */
  readonly isProfileUnfit: boolean;
}

const SRGB: Meaning = {
  icc: null,
  pngColours: null,
  colorSpace: 'srgb',
  hdr: null,
  isProfileUnfit: false,
};

/**
 * Finds the colour space of the values stored in an image file. Returns null for CMYK, JPEG XL and
 * BMP files, whose colours this module cannot interpret. H.273 code points take precedence over an
 * ICC profile, and a profile takes precedence over gamma. If one of them is invalid or unsupported,
 * the next one is used (PNG, third edition, 4.3; Chromium does the same).
 */
export async function meaningOf(
  format: ImageFormat,
  container: Container,
): Promise<Meaning | null> {
  const { cicp, icc, gamma, chunks, isGrey, isCmyk } = container;
  // JPEG XL profiles are compressed with a special method, which this module does not support.
  if (isCmyk || format === 'JPEG XL' || format === 'BMP') return null;
  if (cicp && isKnown(cicp)) {
    if (isHdr(cicp)) {
      const pngColours = chunks ?? chunk('cICP', Uint8Array.of(...cicp, 0, 1));
      return { ...SRGB, pngColours, colorSpace: 'other', hdr: cicp };
    }
    const [primaries, transfer] = cicp;
    if (primaries === 1 && transfer === 13) return SRGB;
    const isP3 = primaries === 12 && transfer === 13;
    return withProfile(isP3 ? displayP3() : profileOfCodePoints(cicp), chunks);
  }
  if (icc) {
    if (profileSpace(icc)) return withProfile(new Uint8Array(icc));
    const rgb = isGrey ? rgbOfGrey(icc) : null;
    if (rgb) return withProfile(rgb, await profileChunk(new Uint8Array(icc)));
  }
  const profile = gamma && profileOfGamma(gamma);
  const told = profile ? withProfile(profile, chunks) : SRGB;
  return { ...told, isProfileUnfit: icc !== null };
}

const withProfile = (
  icc: Uint8Array<ArrayBuffer>,
  pngColours: Meaning['pngColours'] = null,
): Meaning => ({ ...SRGB, icc, pngColours, colorSpace: profileSpace(icc) ?? 'other' });
