/** `maxSide` is the limit of libaom and libheif. */
export const avif = {
  name: 'avif',
  extensions: ['avif'],
  maxSide: 16384,
} as const;
