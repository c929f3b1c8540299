/**
 * SHA-256 of the shipped weight files, 64 lower-case hexadecimal digits, by the ids of models. Apart from
 * the table of files: only who downloads one needs its hash.
 */
export const HASHES: Readonly<Record<string, string>> = {
  'a2n-x2': '8630e6b236cb893715f462f57886717746ca69322b28a0d158d53af5a3afa591',
  'a2n-x3': '510276c210d1b1090ae36ab43d6aebf44e3ded89061c272b130c007db387fb64',
  'a2n-x4': '666c5eba1f301987aaf230b649eb1250af18bca310cc8522f0024116db7892e1',
  'pan-x2': '6fc4e46bc3463270fb0ade449f9ea6714af5232c2f0c7b2ec044c9fa96674a3c',
  'pan-x3': '6c7041685c7041a5f69bb33008aa44ff012ca6150ac3f89ce478b0a27722c4c3',
  'pan-x4': '780bf0116faa36125d56c1259d9bf7edcc4ea14c3645854a82740083219bdf10',
  'a2n-photo-x2': 'f7e75e313c64ec5307546551ae33aa3528b49ad615acf51c0f7a91752ceb9604',
  'a2n-photo-x4': 'ea867362c0171811c0aeb108d366159e950685f94b89de31b3a279657f6eeb23',
  'a2n-jpeg-x1': '3ae4a5b4a6f4451a303441838226931693ee60463067288c5218630d5bd3cfb5',
  'a2n-denoise-x1': '5e64ef1cdbba7eb9bf7b0cd8cd7cd13ef68358ca47425f6fe05b79c19512d2cc',
};
