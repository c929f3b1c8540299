import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Bytes } from './bytes.ts';
import { gifFrames } from './gif.ts';
import { isTruncated, readHeader } from './header.ts';
import { checkStart } from './source.ts';

const [WIDTH, HEIGHT] = [37, 21];
const noise = sharp({
  create: {
    width: WIDTH,
    height: HEIGHT,
    channels: 4,
    background: { r: 200, g: 90, b: 30, alpha: 0.5 },
    noise: { type: 'gaussian', mean: 128, sigma: 40 },
  },
});

const text = (value: string) => new TextEncoder().encode(value);

/**
 * Builds the start of a BMP file, because sharp cannot write BMP. The information header has 40
 * bytes, or 12 bytes if `core` is set.
 */
function bmp(width: number, height: number, core: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint16(0, 0x424d);
  view.setUint32(14, core ? 12 : 40, true);
  if (core) {
    view.setUint16(18, width, true);
    view.setUint16(20, height, true);
  } else {
    view.setInt32(18, width, true);
    view.setInt32(22, height, true);
  }
  return new Uint8Array(view.buffer);
}

/** Builds the first box of an ISO media file. */
function ftyp(...brands: string[]): Uint8Array {
  const [major, ...compatible] = brands;
  const box = text(`....ftyp${major}\0\0\0\0${compatible.join('')}`);
  new DataView(box.buffer).setUint32(0, box.length);
  return box;
}

const bitsOf = (value: number, count: number) =>
  Array.from({ length: count }, (_, i) => (value >> i) & 1);

describe('readHeader', () => {
  it.each([
    ['PNG', () => noise.clone().png()],
    ['JPEG', () => noise.clone().jpeg()],
    ['JPEG', () => noise.clone().jpeg({ progressive: true }).withMetadata({ orientation: 6 })],
    ['WebP', () => noise.clone().webp()],
    ['WebP', () => noise.clone().webp({ lossless: true })],
    ['WebP', () => noise.clone().removeAlpha().webp()],
    ['GIF', () => noise.clone().gif()],
    ['AVIF', () => noise.clone().avif({ effort: 0 })],
  ] as const)('reads the size of a %s as an encoder wrote it', async (format, encode) => {
    const file = await encode().toBuffer();
    expect(readHeader(file)).toEqual({ format, size: [WIDTH, HEIGHT] });
  });

  it('reads BMP sizes of both headers and of rows from the top', () => {
    expect(readHeader(bmp(300, 200, false))).toEqual({ format: 'BMP', size: [300, 200] });
    expect(readHeader(bmp(300, -200, false))).toEqual({ format: 'BMP', size: [300, 200] });
    expect(readHeader(bmp(300, 200, true))).toEqual({ format: 'BMP', size: [300, 200] });
  });

  it('reads the size of a JPEG XL, bare and in a box', () => {
    // The header contains the flag "not small", `height - 1` in 9 bits, ratio 0, and `width - 1` in
    // 9 bits.
    const bits = [
      0,
      ...bitsOf(0, 2),
      ...bitsOf(20, 9),
      ...bitsOf(0, 3),
      ...bitsOf(0, 2),
      ...bitsOf(36, 9),
    ];
    const stream = Uint8Array.from({ length: 4 }, (_, byte) =>
      bits.slice(byte * 8, byte * 8 + 8).reduce((sum, bit, i) => sum + bit * 2 ** i, 0),
    );
    const bare = Uint8Array.of(0xff, 0x0a, ...stream);
    const wanted = { format: 'JPEG XL', size: [37, 21] };
    expect(readHeader(bare)).toEqual(wanted);
    const boxes = [...text('\0\0\0\x0cJXL \r\n'), 0x87, 10, 0, 0, 0, 14, ...text('jxlc'), ...bare];
    expect(readHeader(Uint8Array.from(boxes))).toEqual(wanted);
    // This is a small header. The height is 7 * 8. The ratio has the value 7, which means that the
    // width is twice the height.
    expect(readHeader(Uint8Array.of(0xff, 0x0a, 0b11001101, 0b1)).size).toEqual([112, 56]);
  });

  it('names formats whose size it does not read', async () => {
    expect(readHeader(await noise.clone().tiff().toBuffer()).format).toBe('TIFF');
    expect(readHeader(ftyp('mif1', 'avif')).format).toBe('AVIF');
    expect(readHeader(ftyp('heic', 'mif1')).format).toBe('HEIC');
    expect(readHeader(ftyp('isom', 'mp42')).format).toBe('video');
    expect(readHeader(ftyp('crx ', 'isom')).format).toBe('camera raw');
    expect(readHeader(text('8BPS\0\x01')).format).toBe('PSD');
    expect(readHeader(text('%PDF-1.7\n')).format).toBe('PDF');
    expect(readHeader(text('\0\0\0\x0cjP  \r\n')).format).toBe('JPEG 2000');
    expect(readHeader(Uint8Array.of(0xff, 0x0a, 0xfa, 0x01)).format).toBe('JPEG XL');
    expect(readHeader(text('<?xml version="1.0"?>\n<svg xmlns="x"/>')).format).toBe('SVG');
    expect(readHeader(text('BMX bikes, a story\n')).format).toBe('text');
    expect(readHeader(Uint8Array.of(0, 1, 2, 3)).format).toBe('unknown');
    expect(readHeader(new Uint8Array(0)).format).toBe('unknown');
  });

  it('sees a bomb in the first bytes of a PNG', async () => {
    const file = await noise.clone().png().toBuffer();
    file.writeUInt32BE(100_000, 16);
    file.writeUInt32BE(100_000, 20);
    expect(readHeader(file.subarray(0, 40)).size).toEqual([100_000, 100_000]);
  });

  it.each([
    [0, [60, 25]],
    [1, [WIDTH, HEIGHT]],
  ])('extends a GIF to its frame %i, as decoders do', async (frame, size) => {
    const pages = { width: WIDTH, height: 2 * HEIGHT, pageHeight: HEIGHT, channels: 3 } as const;
    const data = Buffer.alloc(WIDTH * 2 * HEIGHT * 3, 70).fill(200, WIDTH * HEIGHT * 3);
    const file = await sharp(data, { raw: pages }).gif({ effort: 1 }).toBuffer();
    const frames = [...gifFrames(new Bytes(file), 9)];
    expect(frames).toHaveLength(2);
    const sides = Buffer.alloc(9);
    sides[0] = 0x2c;
    sides.writeUInt16LE(WIDTH, 5);
    sides.writeUInt16LE(HEIGHT, 7);
    let at = file.indexOf(sides);
    if (frame === 1) at = file.indexOf(sides, at + 1);
    file.writeUInt16LE(60 - WIDTH, at + 1);
    file.writeUInt16LE(25 - HEIGHT, at + 3);
    const { width, height } = await sharp(file).metadata();
    expect(readHeader(file).size).toEqual([width, height]);
    expect(readHeader(file).size).toEqual(size);
  });

  it('sees a bomb in the first frame of a GIF', async () => {
    const file = await noise.clone().gif().toBuffer();
    const [frame] = [...gifFrames(new Bytes(file), 1)];
    expect(frame).toMatchObject({ x: 0, y: 0, width: WIDTH, height: HEIGHT });
    const sides = Buffer.from([0x2c, 0, 0, 0, 0, WIDTH, 0, HEIGHT, 0]);
    file.fill(0xff, file.indexOf(sides) + 5, file.indexOf(sides) + 9);
    expect(readHeader(file).size).toEqual([65535, 65535]);
    expect(() => checkStart(file)).toThrow(expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }));
  });

  it('has no size for headers that end early, and never throws', async () => {
    for (const encode of [noise.clone().png(), noise.clone().jpeg(), noise.clone().webp()]) {
      const file = await encode.toBuffer();
      for (let length = 0; length < 64; length++) {
        const { size } = readHeader(file.subarray(0, length));
        expect([null, `${WIDTH},${HEIGHT}`]).toContain(size && String(size));
      }
    }
  });
});

/**
 * Generates a GIF of a single colour with the best possible LZW compression. Each code represents
 * one sample more than the code before it, up to 4091 samples. The image's width is 4091, and its
 * height is `2046 + more`.
 */
function densestGif(more: number): Buffer {
  const [width, height, first, last] = [4091, 2046 + more, 6, 4095];
  const bits: number[] = [];
  const put = (code: number, length: number) => {
    for (let bit = 0; bit < length; bit++) bits.push((code >> bit) & 1);
  };
  const [clear, end] = [4, 5];
  put(clear, 3);
  put(0, 3);
  for (let code = first; code <= last; code++) put(code, 32 - Math.clz32(code));
  for (let i = 0; i < more; i++) put(last, 12);
  put(end, 12);
  const codes = Buffer.alloc(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => {
    codes[i >> 3] |= bit << (i & 7);
  });
  const blocks: Buffer[] = [];
  for (let at = 0; at < codes.length; at += 255) {
    const block = codes.subarray(at, at + 255);
    blocks.push(Buffer.of(block.length), block);
  }
  const head = Buffer.from('GIF89a----\x80\0\0\x0a\x14\x1e\0\0\0,----====\0\x02', 'latin1');
  for (const at of [6, head.length - 6]) {
    head.writeUInt16LE(width, at);
    head.writeUInt16LE(height, at + 2);
  }
  head.fill(0, head.length - 10, head.length - 6);
  return Buffer.concat([head, ...blocks, Buffer.of(0, 0x3b)]);
}

describe('isTruncated', () => {
  it('accepts a GIF that is compressed as well as LZW can, and no GIF of fewer bytes', async () => {
    const whole = densestGif(0);
    const { data, info } = await sharp(whole, { failOn: 'warning' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([4091, 2046]);
    expect([...data.subarray(-3)]).toEqual([10, 20, 30]);
    expect(isTruncated('GIF', whole)).toBe(false);

    const large = densestGif(60_000);
    expect(large.length).toBeLessThan(100_000);
    expect(isTruncated('GIF', large)).toBe(false);
    expect(isTruncated('GIF', large.subarray(0, large.length * 0.95))).toBe(true);
    const { samplesAt } = [...gifFrames(new Bytes(large), 1)][0];
    large.writeUInt16LE(65_165, samplesAt - 4);
    expect(isTruncated('GIF', large)).toBe(true);
  });

  it.each(['b-w', 'srgb', 'rgb16'] as const)(
    'accepts a blank PNG (%s), and none that claims more than deflate can express',
    async (space) => {
      const blank = { width: 2000, height: 2000, channels: 3, background: '#000' } as const;
      const file = await sharp({ create: blank })
        .toColourspace(space)
        .png({ compressionLevel: 9, palette: false })
        .toBuffer();
      expect(isTruncated('PNG', file)).toBe(false);
      file.writeUInt32BE(2200, 20);
      expect(isTruncated('PNG', file)).toBe(true);
    },
  );

  it.each(['png', 'jpeg', 'webp'] as const)('tells a cut %s from a whole one', async (name) => {
    const file = await noise.clone().toFormat(name).toBuffer();
    const { format } = readHeader(file);
    expect(isTruncated(format, file)).toBe(false);
    // Bytes after the end are harmless. They are common, because phones append videos to photos.
    expect(isTruncated(format, Buffer.concat([file, Buffer.from('more')]))).toBe(false);
    for (const part of [0.3, 0.6, 0.9]) {
      expect(isTruncated(format, file.subarray(0, Math.floor(file.length * part)))).toBe(true);
    }
  });

  it('does not take the end of an embedded thumbnail for that of the JPEG', async () => {
    const thumbnail = await noise.clone().resize(8).jpeg().toBuffer();
    const file = await noise.clone().jpeg().toBuffer();
    const app1 = Buffer.concat([Buffer.from([0xff, 0xe1, 0, 0]), thumbnail]);
    app1.writeUInt16BE(thumbnail.length + 2, 2);
    const whole = Buffer.concat([file.subarray(0, 2), app1, file.subarray(2)]);
    expect(readHeader(whole).size).toEqual([WIDTH, HEIGHT]);
    expect(isTruncated('JPEG', whole)).toBe(false);
    expect(isTruncated('JPEG', whole.subarray(0, whole.length - 2))).toBe(true);
  });
});
