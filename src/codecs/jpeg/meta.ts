/**
 * Information about the JPEG format. A JPEG header can state sides of up to 65,535 pixels, but
 * libjpeg, which browsers and Crispen's command line use, supports only 65,500.
 */
export const jpeg = {
  name: 'jpeg',
  extensions: ['jpg', 'jpeg'],
  maxSide: 65500,
} as const;
