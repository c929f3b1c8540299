import { deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';

import { describe, expect, it } from 'vitest';
import { animatedPng, avifSequence } from '../../test/animations.ts';
import { greyProfile } from '../../test/colours.ts';
import { randomStream } from '../../test/random.ts';
import { taggedPng } from '../../test/taggedPng.ts';
import { turn } from '../image/pixels.ts';
import { type ImageTags, NO_TAGS } from '../image/tags.ts';
import { readContainer } from './container.ts';
import { embed } from './embed.ts';
import { cleanExif } from './exif.ts';
import type { ImageFormat } from './header.ts';
import { profileSpace } from './icc.ts';
import { chunk, headerChunk, SIGNATURE } from './png/pngChunks.ts';
import { displayP3 } from './profiles.ts';
import { openSource } from './source.ts';

const PICTURE = { width: 5, height: 3, channels: 3 as const };
const pixels = Uint8Array.from({ length: 45 }, (_, i) => (i * 97) % 256);
const picture = () => sharp(pixels, { raw: PICTURE });
const bytes = (buffer: Uint8Array) => Uint8Array.from(buffer);
const open = async (image: Sharp) => openSource(bytes(await image.toBuffer()));
const joined = (parts: readonly Uint8Array[]) => Buffer.concat(parts);

const lossless = {
  PNG: (image: Sharp) => image.png(),
  WebP: (image: Sharp) => image.webp({ lossless: true }),
};
const formats = {
  ...lossless,
  JPEG: (image: Sharp) => image.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
  AVIF: (image: Sharp) => image.avif({ effort: 0 }),
};

describe('a profile', () => {
  it.each(Object.entries(formats))(
    'of a %s is found, and taken out of what is decoded',
    async (format, encode) => {
      const file = await encode(picture().withIccProfile('p3')).toBuffer();
      const { icc } = await sharp(file).metadata();
      const source = await openSource(bytes(file));
      expect(source).toMatchObject({ format, isRaw: true, notes: [] });
      expect(source.tags.colorSpace).toBe('display-p3');
      expect(joined([source.tags.icc!]).equals(icc!)).toBe(true);
      const bare = joined(source.bare);
      expect((await sharp(bare).metadata()).icc).toBeUndefined();
      const raw = (image: Sharp) => image.raw().toBuffer();
      const asStored = await raw(sharp(file, { ignoreIcc: true }));
      expect((await raw(sharp(bare))).equals(asStored)).toBe(true);
      // The stored values must differ from the sRGB values. Otherwise the test would prove nothing.
      expect((await raw(sharp(file))).equals(asStored)).toBe(false);
    },
  );
});

describe('orientation', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    '%d turns as libvips does, in PNG and WebP',
    async (orientation) => {
      for (const encode of Object.values(lossless)) {
        const file = await encode(picture().withMetadata({ orientation })).toBuffer();
        const source = await openSource(bytes(file));
        expect(source.orientation).toBe(orientation);
        const { data, info } = await sharp(joined(source.bare))
          .ensureAlpha()
          .raw()
          .toBuffer({ resolveWithObject: true });
        expect([info.width, info.height]).toEqual([5, 3]);
        const image = { width: 5, height: 3, data: new Uint8ClampedArray(data) };
        const upright = turn(image, source.orientation);
        const wanted = await sharp(file)
          .autoOrient()
          .ensureAlpha()
          .raw()
          .toBuffer({ resolveWithObject: true });
        expect([upright.width, upright.height]).toEqual([wanted.info.width, wanted.info.height]);
        expect(Buffer.from(upright.data).equals(wanted.data)).toBe(true);
        const deep = { ...image, data: Uint16Array.from(image.data, (v) => v * 257) };
        expect([...turn(deep, orientation).data]).toEqual([...upright.data].map((v) => v * 257));
      }
    },
  );
});

describe('metadata', () => {
  const ARTIST = 'somebody';
  const withAll = () =>
    picture()
      .withExif({
        IFD0: { Artist: ARTIST, ImageWidth: '5' },
        IFD2: { PixelXDimension: '5', LensModel: 'pinhole' },
      })
      .withMetadata({ orientation: 6 })
      .withXmp(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" ' +
          'exif:PixelXDimension="5" dc:title="ünïcode"/></x:xmpmeta>',
      );

  it.each(['PNG', 'JPEG', 'WebP'] as const)(
    'of a %s is kept, upright, without sizes, and goes back in',
    async (format) => {
      const file = await formats[format](withAll()).toBuffer();
      const before = await sharp(file).metadata();
      expect(before.orientation).toBe(6);
      const { tags, orientation, bare } = await openSource(bytes(file));
      expect(orientation).toBe(6);
      const [exif, xmp] = [tags.exif!, tags.xmp!].map((data) => Buffer.from(data).toString());
      expect(exif).toContain(ARTIST);
      expect(exif).toContain('pinhole');
      expect(xmp).toBe(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="1" dc:title="ünïcode"/></x:xmpmeta>',
      );
      expect(joined(bare).includes(ARTIST)).toBe(false);

      const plain = await formats[format](picture()).toBuffer();
      const withTags = (stored: Uint8Array, added: ImageTags) =>
        format === 'PNG'
          ? taggedPng(bytes(stored), added)
          : embed(bytes(stored), `image/${format === 'JPEG' ? 'jpeg' : 'webp'}`, added);
      const full = await withTags(plain, { ...tags, icc: displayP3(), grey: false });
      const after = await sharp(full).metadata();
      expect(after).toMatchObject({ orientation: 1, width: 5, height: 3, hasProfile: true });
      expect(after.exif!.includes(ARTIST)).toBe(true);
      expect(after.xmp!.equals(Buffer.from(tags.xmp!))).toBe(true);
      const again = await openSource(bytes(full));
      expect(again.tags).toEqual({ ...tags, icc: displayP3(), colorSpace: 'display-p3' });
      const raw = (one: Uint8Array) => sharp(one, { ignoreIcc: true }).raw().toBuffer();
      expect((await raw(full)).equals(await raw(plain))).toBe(true);
      // If the tags are empty, the profile and the metadata are removed from the file.
      const dropped = await sharp(await withTags(full, NO_TAGS)).metadata();
      expect([dropped.exif, dropped.xmp, dropped.icc]).toEqual([undefined, undefined, undefined]);
    },
  );

  it('loses its thumbnail, which shows the old picture', async () => {
    const exif = tiff(
      [
        [0x112, 3],
        [0x10e, 7],
      ],
      [
        [0x201, 68],
        [0x202, 8],
      ],
      'THUMBNAI',
    );
    const clean = cleanExif(exif);
    expect(clean.orientation).toBe(3);
    expect(Buffer.from(clean.exif!).includes('THUMB')).toBe(false);
    expect(cleanExif(clean.exif!)).toEqual({ orientation: 1, exif: clean.exif });
    const found = await sharp(
      await embed(bytes(await formats.JPEG(picture()).toBuffer()), 'image/jpeg', {
        ...NO_TAGS,
        exif: clean.exif,
      }),
    ).metadata();
    expect(found.orientation).toBe(1);
  });

  it('that is damaged in any way throws nothing', async () => {
    const file = await formats.JPEG(withAll().withIccProfile('p3')).toBuffer();
    const { exif } = await sharp(file).metadata();
    const whole = exif!.subarray(6);
    for (let end = 0; end < whole.length; end += 3) cleanExif(whole.subarray(0, end));
    const random = randomStream(1);
    for (let round = 0; round < 300; round++) {
      const damaged = Uint8Array.from(whole);
      for (let i = 0; i < 4; i++) damaged[Math.floor(random() * whole.length)] = random() * 256;
      cleanExif(damaged);
    }
    for (const [format, encode] of Object.entries(formats)) {
      const good = bytes(await encode(withAll().withIccProfile('p3')).toBuffer());
      for (let round = 0; round < 100; round++) {
        const damaged = good.slice();
        for (let i = 0; i < 6; i++) damaged[Math.floor(random() * 600)] = random() * 256;
        const container = await readContainer(format as ImageFormat, damaged);
        container.bare(true);
      }
    }
  });
});

/** Builds a small TIFF structure that consists of two directories, followed by text. */
function tiff(first: [number, number][], second: [number, number][], tail: string): Uint8Array {
  const out = new Uint8Array(68 + tail.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, 0x4d4d002a);
  view.setUint32(4, 8);
  let at = 8;
  for (const [folder, next] of [
    [first, 8 + 2 + first.length * 12 + 4],
    [second, 0],
  ] as const) {
    view.setUint16(at, folder.length);
    at += 2;
    for (const [tag, value] of folder) {
      const isShort = tag === 0x112;
      view.setUint16(at, tag);
      view.setUint16(at + 2, isShort ? 3 : 4);
      view.setUint32(at + 4, 1);
      if (isShort) view.setUint16(at + 8, value);
      else view.setUint32(at + 8, value);
      at += 12;
    }
    view.setUint32(at, next);
    at += 4;
  }
  out.set(Buffer.from(tail), at);
  return out;
}

describe('colours', () => {
  /** Creates a PNG with an additional chunk after its header. */
  async function pngWith(type: string, data: readonly number[]): Promise<Uint8Array<ArrayBuffer>> {
    const file = await picture().png().toBuffer();
    return bytes(
      Buffer.concat([file.subarray(0, 33), chunk(type, Uint8Array.from(data)), file.subarray(33)]),
    );
  }
  const u32s = (...values: number[]) =>
    values.flatMap((v) => [v >>> 24, (v >> 16) & 255, (v >> 8) & 255, v & 255]);

  it('Display P3 by a code point in a PNG becomes a profile that says the same', async () => {
    const source = await openSource(await pngWith('cICP', [12, 13, 0, 1]));
    expect(source).toMatchObject({ isRaw: true, tags: { colorSpace: 'display-p3' } });
    const written = await sharp(
      await taggedPng(bytes(await picture().png().toBuffer()), {
        ...source.tags,
        grey: false,
      }),
    )
      .toColourspace('srgb')
      .raw()
      .toBuffer();
    const p3 = await sharp(await picture().png().toBuffer()).metadata();
    expect(p3.icc).toBeUndefined();
    // With libvips' own Display P3 profile, the sRGB values must be the same, up to rounding.
    const theirs = await picture()
      .withIccProfile('p3')
      .png()
      .toBuffer()
      .then((file) => sharp(file).metadata());
    const other = await sharp(
      await taggedPng(bytes(await picture().png().toBuffer()), {
        ...NO_TAGS,
        icc: bytes(theirs.icc!),
      }),
    )
      .toColourspace('srgb')
      .raw()
      .toBuffer();
    const worst = Math.max(...written.map((v, i) => Math.abs(v - other[i])));
    expect(worst).toBeLessThanOrEqual(1);
    expect(written.equals(Buffer.from(pixels))).toBe(false);
  });

  it.each<[string, string, number[], string]>([
    ['sRGB by a code point', 'cICP', [1, 13, 0, 1], 'srgb'],
    ['an HDR code point', 'cICP', [9, 16, 0, 1], 'other'],
    ['a code point of Rec. 2020', 'cICP', [9, 1, 0, 1], 'other'],
    ['a code point of a video', 'cICP', [9, 1, 9, 0], 'srgb'],
    ["sRGB's gamma", 'gAMA', u32s(45455), 'srgb'],
    ['a linear gamma', 'gAMA', u32s(100000), 'other'],
    ['no gamma', 'gAMA', u32s(0), 'srgb'],
    [
      'primaries alone',
      'cHRM',
      u32s(31270, 32900, 73470, 26530, 11520, 82640, 15660, 1770),
      'srgb',
    ],
  ])('%s in a PNG', async (_, type, data, colorSpace) => {
    const source = await openSource(await pngWith(type, data));
    expect(source).toMatchObject({ isRaw: true, notes: [], tags: { colorSpace } });
    expect(joined(source.bare).includes(type)).toBe(false);
    // If the colours are not sRGB, `pngColours` contains the chunk that `pngWith` added, unchanged.
    const { pngColours } = source.tags;
    const said = chunk(type, Uint8Array.from(data));
    expect(pngColours && [...pngColours]).toEqual(colorSpace === 'other' ? [...said] : null);
  });

  it('that a result cannot say are left to the decoder, and a note tells', async () => {
    const [adobe, pq] = [
      await pngWith('cHRM', u32s(31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)),
      await pngWith('cICP', [9, 16, 0, 1]),
    ];
    const gamma = chunk('gAMA', Uint8Array.from(u32s(45455)));
    const other = bytes(Buffer.concat([adobe.subarray(0, 33), gamma, adobe.subarray(33)]));
    const notes = ['The colours were converted to sRGB.'];
    const converted = { isRaw: false, notes, hdr: null, tags: { colorSpace: 'srgb', icc: null } };
    expect(await openSource(pq, { carrier: 'profile' })).toMatchObject(converted);
    expect(await openSource(pq, { carrier: 'screen' })).toMatchObject(converted);
    expect(await openSource(other, { carrier: 'screen' })).toMatchObject(converted);
    expect(joined((await openSource(pq, { carrier: 'screen' })).bare).includes('cICP')).toBe(true);
    const kept = await openSource(other, { carrier: 'profile' });
    expect(kept).toMatchObject({ isRaw: true, notes: [], tags: { colorSpace: 'other' } });
    expect(profileSpace(kept.tags.icc!)).toBe('other');
  });

  it('of CMYK are left to the decoder, and the profile goes nowhere', async () => {
    const cmyk = await open(picture().toColourspace('cmyk').withIccProfile('cmyk').jpeg());
    expect(cmyk).toMatchObject({ isRaw: false, tags: { icc: null, colorSpace: 'srgb' } });
    expect(cmyk.notes).toEqual(['The CMYK colours were converted to sRGB.']);
    expect(joined(cmyk.bare).includes('ICC_PROFILE')).toBe(true);
  });

  it('of a profile that is not of the pixels are sRGB, and a note tells', async () => {
    const cut = displayP3().slice(0, 300);
    for (const icc of [greyProfile(1), cut]) {
      const file = await taggedPng(bytes(await picture().png().toBuffer()), {
        ...NO_TAGS,
        icc: Uint8Array.from(icc),
      });
      expect(await openSource(file)).toMatchObject({
        isRaw: true,
        tags: { icc: null, colorSpace: 'srgb' },
        notes: ['The profile does not fit the pixels and was left out.'],
      });
    }
  });

  it('of a profile of many segments are put together', async () => {
    const icc = new Uint8Array(200_000).map((_, i) => (i * 31) >> 3);
    icc.set(displayP3());
    const file = await embed(bytes(await formats.JPEG(picture()).toBuffer()), 'image/jpeg', {
      ...NO_TAGS,
      icc,
    });
    expect((await sharp(file).metadata()).icc!.equals(Buffer.from(icc))).toBe(true);
    expect((await openSource(file)).tags.icc).toEqual(icc);
  });

  it('of a profile go into an AVIF', async () => {
    const plain = bytes(
      await sharp({
        create: {
          width: 70,
          height: 50,
          channels: 4,
          background: { r: 200, g: 20, b: 60, alpha: 0.5 },
        },
      })
        .avif({ effort: 0 })
        .toBuffer(),
    );
    const file = await embed(plain, 'image/avif', { ...NO_TAGS, icc: displayP3() });
    const found = await sharp(file).metadata();
    expect(found).toMatchObject({ width: 70, height: 50, hasAlpha: true });
    expect(found.icc!.equals(Buffer.from(displayP3()))).toBe(true);
    const raw = (one: Uint8Array) => sharp(one, { ignoreIcc: true }).raw().toBuffer();
    expect((await raw(file)).equals(await raw(plain))).toBe(true);
  });
});

describe('animations', () => {
  const two = () =>
    sharp(Buffer.alloc(4 * 4 * 3 * 2, 9).fill(200, 0, 48), {
      raw: { width: 4, height: 8, channels: 3, pageHeight: 4 },
    });
  it.each([
    ['GIF', (image: Sharp) => image.gif()],
    ['WebP', (image: Sharp) => image.webp()],
  ])('%s: told aloud', async (format, encode) => {
    const notes = ['Of the animation only the first frame was enlarged.'];
    expect(await open(encode(two()))).toMatchObject({ format, isAnimated: true, notes });
    expect(await open(encode(picture()))).toMatchObject({ format, isAnimated: false, notes: [] });
  });

  it.each([1, 2])('%d frames: only several are an animation', async (count) => {
    const frames = Array.from({ length: count }, (_, i) => Buffer.alloc(4 * 4 * 3, 60 * i + 9));
    const raw = { width: 4, height: 4 * count, channels: 3 as const, pageHeight: 4 };
    const webp = await sharp(Buffer.concat(frames), { raw }).webp().toBuffer();
    const found = [
      await readContainer('WebP', Uint8Array.from(webp)),
      await readContainer('PNG', Uint8Array.from(await animatedPng(count))),
      await readContainer('AVIF', Uint8Array.from(avifSequence(count))),
    ].map(({ animation }) => animation);
    expect(found).toEqual(Array(3).fill(count > 1 ? 'first frame' : null));
  });

  /** Creates an animated PNG. The IDAT image is blue, and the fdAT images are red and green. */
  function apng({ isFirst = false, width = 4 } = {}): Uint8Array<ArrayBuffer> {
    const pixels = (wide: number, ...colour: number[]) =>
      deflateSync(
        Uint8Array.from(
          Array(4)
            .fill([0, ...Array(wide).fill(colour).flat()])
            .flat(),
        ),
      );
    const u32s = (...values: number[]) => {
      const data = Buffer.alloc(values.length * 4);
      values.forEach((value, i) => {
        data.writeUInt32BE(value, i * 4);
      });
      return data;
    };
    const control = (number: number, wide: number) =>
      chunk('fcTL', Buffer.concat([u32s(number, wide, 4, 0, 0), Buffer.alloc(6)]));
    const frame = (number: number, data: Buffer) => [
      chunk('fdAT', Buffer.concat([u32s(number), data.subarray(0, 9)])),
      chunk('fdAT', Buffer.concat([u32s(number + 1), data.subarray(9)])),
    ];
    return bytes(
      Buffer.concat([
        SIGNATURE,
        headerChunk(4, 4, 8, 2),
        chunk('acTL', u32s(2, 0)),
        ...(isFirst ? [control(0, 4)] : []),
        chunk('IDAT', pixels(4, 0, 0, 255)),
        control(1, width),
        ...frame(2, pixels(width, 255, 0, 0)),
        control(4, 4),
        ...frame(5, pixels(4, 0, 255, 0)),
        chunk('IEND', new Uint8Array(0)),
      ]),
    );
  }
  it.each([
    ['the first frame', apng(), [255, 0, 0], 'first frame'],
    [
      'the picture in IDAT where it is the first frame',
      apng({ isFirst: true }),
      [0, 0, 255],
      'first frame',
    ],
    [
      'that picture where the first frame is a part',
      apng({ width: 2 }),
      [0, 0, 255],
      'still picture',
    ],
  ] as const)('PNG: %s, for every decoder', async (_, file, colour, what) => {
    for (const carrier of ['png', 'screen'] as const) {
      const { bare, isAnimated, notes } = await openSource(file, { carrier });
      expect(isAnimated).toBe(true);
      expect(notes).toEqual([`Of the animation only the ${what} was enlarged.`]);
      const still = joined(bare);
      expect(['acTL', 'fcTL', 'fdAT'].filter((type) => still.includes(type))).toEqual([]);
      const { data, info } = await sharp(still).raw().toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, ...data.subarray(0, 3)]).toEqual([4, 4, ...colour]);
      expect([...data.subarray(-3)]).toEqual([...colour]);
    }
  });
});
