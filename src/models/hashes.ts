/**
 * SHA-256 of the shipped weight files, 64 lower-case hexadecimal digits, by the ids of models. Apart from
 * the table of files: only who downloads one needs its hash.
 */
export const HASHES: Readonly<Record<string, string>> = {
  'a2n-x2': '6ad4188a02924becc0a8f5f9da242ce8ec700b6d04ec87cacc8b5dea4d882794',
  'a2n-x3': '0953947a8e9c8b1e867ecbe684ca5b361d19374ace1468e745b7d23667eb4057',
  'a2n-x4': '320a10e092fc49cc34a6fa1dca36901b919d8921c7eba2e785a510fbf4c417c8',
  'pan-x2': '97f8d2d992a07a281294bb98830ff19d49939e94136e3e08fa6cda4ae55873b3',
  'pan-x3': '6c7041685c7041a5f69bb33008aa44ff012ca6150ac3f89ce478b0a27722c4c3',
  'pan-x4': 'e4342c04520ce91067192366459e6063a201cfeb8fe95eccd4790929fc543ef4',
  'a2n-photo-x2': 'f2711659154eb1b61e79fca6c6daa0040040c2d8265b3d4398a2f30b0909c1e5',
  'a2n-photo-x4': 'b8d850ee8eeb1b5bd57079dbdca918dcf0fb042146da350ecd83deda1d987e50',
  'a2n-jpeg-x1': '3ae4a5b4a6f4451a303441838226931693ee60463067288c5218630d5bd3cfb5',
  'a2n-denoise-x1': '5e64ef1cdbba7eb9bf7b0cd8cd7cd13ef68358ca47425f6fe05b79c19512d2cc',
};
