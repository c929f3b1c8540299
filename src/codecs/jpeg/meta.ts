/**
 * The header allows 65,535 pixels. But libjpeg, which browsers and the command line use, stops at
 * 65,500.
 */
export const jpeg = {
  name: 'jpeg',
  extensions: ['jpg', 'jpeg'],
  maxSide: 65500,
} as const;
