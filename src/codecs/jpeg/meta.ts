/**
 * The header has room for 65,535 pixels. libjpeg, by which browsers and the command line write, stops at
 * 65,500.
 */
export const jpeg = {
  name: 'jpeg',
  extensions: ['jpg', 'jpeg'],
  maxSide: 65500,
} as const;
