/**
 * Information about the AVIF format. `maxSide` is the largest side that libaom and libheif support.
 */
export const avif = {
  name: 'avif',
  extensions: ['avif'],
  maxSide: 16384,
} as const;
