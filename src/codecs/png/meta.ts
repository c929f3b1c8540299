export const png = {
  name: 'png',
  extensions: ['png'],
  maxSide: 2 ** 31 - 1,
} as const;
