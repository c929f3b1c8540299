/** TIFF sample formats, with their numbers in the tag SampleFormat. */
export const SAMPLES = { unsigned: 1, signed: 2, float: 3 } as const;

export interface TiffOptions {
  readonly width: number;
  readonly height: number;
  /** 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha. */
  readonly channels: number;
  readonly bits: 8 | 16 | 32;
  readonly samples: keyof typeof SAMPLES;
  /** Returns the value of each stored sample. Half floats are given as bits. */
  readonly value: (index: number) => number;
}

/** Creates an uncompressed, little-endian TIFF with one strip. Source: TIFF 6.0. */
export function tiff({ width, height, channels, bits, samples, value }: TiffOptions): Buffer {
  const count = width * height * channels;
  const data = Buffer.alloc((count * bits) / 8);
  for (let i = 0; i < count; i++) {
    const at = (i * bits) / 8;
    if (samples === 'float' && bits === 32) data.writeFloatLE(value(i), at);
    else if (samples === 'signed') data.writeIntLE(value(i), at, bits / 8);
    else data.writeUIntLE(value(i), at, bits / 8);
  }
  const [SHORT, LONG] = [3, 4];
  const ENTRIES = 12;
  const listsAt = 8 + 2 + ENTRIES * 12 + 4;
  const lists: Buffer[] = [];
  // Creates a tag with one value per channel. Up to two values fit into the entry.
  const perChannel = (tag: number, of: number) => {
    if (channels <= 2) return [tag, SHORT, channels, channels === 2 ? of + (of << 16) : of];
    const list = Buffer.from(Uint16Array.from({ length: channels }, () => of).buffer);
    lists.push(list);
    return [tag, SHORT, channels, listsAt + (lists.length - 1) * list.length];
  };
  const hasAlpha = channels % 2 === 0;
  const entries = [
    [256, SHORT, 1, width],
    [257, SHORT, 1, height],
    perChannel(258, bits),
    [259, SHORT, 1, 1],
    [262, SHORT, 1, channels > 2 ? 2 : 1],
    [273, LONG, 1, 0],
    [277, SHORT, 1, channels],
    [278, SHORT, 1, height],
    [279, LONG, 1, data.length],
    [284, SHORT, 1, 1],
    ...(hasAlpha ? [[338, SHORT, 1, 2]] : [[296, SHORT, 1, 2]]),
    perChannel(339, SAMPLES[samples]),
  ];
  entries.sort(([one], [two]) => one - two);
  const before = Buffer.concat(lists);
  entries.find(([tag]) => tag === 273)![3] = listsAt + before.length;
  const head = Buffer.alloc(listsAt);
  head.write('II*\0');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(ENTRIES, 8);
  entries.forEach(([tag, type, length, content], i) => {
    const at = 10 + 12 * i;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(length, at + 4);
    head.writeUInt32LE(content, at + 8);
  });
  return Buffer.concat([head, before, data]);
}
