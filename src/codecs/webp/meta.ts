export const webp = {
  name: 'webp',
  extensions: ['webp'],
  maxSide: 16383,
} as const;
