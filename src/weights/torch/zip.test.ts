import { readFileSync } from 'node:fs';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { concat, u32, zip } from '../../../test/checkpoints/forge.ts';
import { crc32, ZipArchive } from './zip.ts';

const MIB = 2 ** 20;
const corrupt = expect.objectContaining({ code: 'MODEL_CORRUPT' });
const unsupported = expect.objectContaining({ code: 'MODEL_UNSUPPORTED' });
const noise = Uint8Array.from({ length: 100_003 }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff);

function open(bytes: Uint8Array, unpackBytes = MIB): ZipArchive {
  return new ZipArchive(bytes, unpackBytes);
}

describe('ZipArchive', () => {
  it('reads what CPython wrote: zip64 sizes and offsets, deflate, a comment', async () => {
    const path = new URL('../../../test/checkpoints/zip64_deflated.zip', import.meta.url);
    const archive = open(readFileSync(path));
    expect([...archive.names()]).toEqual(['a/stored', 'a/deflated']);
    expect(Buffer.from(await archive.read('a/stored')).toString()).toBe('stored');
    expect(Buffer.from(await archive.read('a/deflated')).toString()).toBe('hello '.repeat(20));
  });

  it('gives a stored entry as a view of the file, at any alignment', async () => {
    const bytes = zip([{ name: 'odd', data: noise }]);
    const content = await open(bytes).read('odd');
    expect(content.buffer).toBe(bytes.buffer);
    expect(Buffer.compare(content, noise)).toBe(0);
  });

  it('unpacks deflated entries of many chunks, and empty ones', async () => {
    const entries = [
      { name: 'noise', data: noise, deflate: true },
      { name: 'nothing', data: new Uint8Array(0), deflate: true },
    ];
    const archive = open(zip(entries));
    expect(Buffer.compare(await archive.read('noise'), noise)).toBe(0);
    expect(await archive.read('nothing')).toHaveLength(0);
  });

  it('finds every flipped bit of a stored or deflated entry', async () => {
    for (const deflate of [false, true]) {
      const bytes = zip([{ name: 'n', data: noise.subarray(0, 64), deflate }]);
      for (let bit = 0; bit < 64 * 8; bit += 7) {
        const flipped = bytes.slice();
        flipped[31 + (bit >> 3)] ^= 1 << (bit & 7);
        const outcome = await open(flipped)
          .read('n')
          .catch((error: unknown) => error);
        // The last byte of deflate data can have unused bits, and flipping one of those changes
        // nothing.
        if (deflate && outcome instanceof Uint8Array) {
          expect(Buffer.compare(outcome, noise.subarray(0, 64))).toBe(0);
        } else expect(outcome).toEqual(corrupt);
      }
    }
  });

  it('has every prefix of an archive as corrupt', () => {
    const bytes = zip([{ name: 'n', data: noise.subarray(0, 50) }]);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => open(bytes.slice(0, length))).toThrow(corrupt);
    }
  });

  const data = noise.subarray(0, 100);
  it.each([
    [
      'two entries of one name',
      zip([
        { name: 'n', data },
        { name: 'n', data },
      ]),
    ],
    [
      'two entries over one block',
      zip([
        { name: 'a', data },
        { name: 'b', data, claims: { headerAt: 0 } },
      ]),
    ],
    [
      'an entry that reaches into the next',
      zip([
        { name: 'a', data, claims: { size: 120, packedSize: 120 } },
        { name: 'b', data },
      ]),
    ],
    ['an entry beyond the file', zip([{ name: 'a', data, claims: { headerAt: 0xfffffff0 } }])],
    [
      'an entry that reaches beyond the file',
      zip([{ name: 'a', data, claims: { size: 1e6, packedSize: 1e6 } }]),
    ],
    ['zip64 sizes that are not there', zip([{ name: 'a', data, claims: { size: 0xffffffff } }])],
    ['a stored entry of two sizes', zip([{ name: 'a', data, claims: { size: 99 } }])],
    ['a web page', concat('<html></html>')],
    [
      'an end record alone with a far directory',
      concat('PK\x05\x06', new Uint8Array(8), u32(9), u32(99), [0, 0]),
    ],
  ])('calls %s corrupt', (_, bytes) => {
    expect(() => open(bytes)).toThrow(corrupt);
  });

  it.each([
    ['encryption', zip([{ name: 'a', data, claims: { flags: 1 } }])],
    ['bzip2', zip([{ name: 'a', data, claims: { method: 12 } }])],
  ])('does not support %s', (_, bytes) => {
    expect(() => open(bytes)).toThrow(unsupported);
  });

  it('checks sizes and checksums that an entry states', async () => {
    const deflate = true;
    for (const claims of [{ size: 99 }, { size: 101 }, { packedSize: 20 }, { crc: 1 }]) {
      const read = async () => open(zip([{ name: 'a', data, deflate, claims }])).read('a');
      await expect(read()).rejects.toThrow(corrupt);
    }
    await expect(open(zip([])).read('a')).rejects.toThrow(corrupt);
  });

  it('stops at a zip bomb, honest about its size or not', async () => {
    const zeros = new Uint8Array(64 * MIB);
    const before = process.memoryUsage().arrayBuffers;
    const honest = zip([{ name: 'a', data: zeros, deflate: true }]);
    expect(honest.length).toBeLessThan(MIB / 8);
    await expect(open(honest).read('a')).rejects.toThrow(unsupported);
    const liar = zip([{ name: 'a', data: zeros, deflate: true, claims: { size: 1000 } }]);
    await expect(open(liar).read('a')).rejects.toThrow(corrupt);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB);
  });

  it('bounds what all entries unpack to together', async () => {
    const zeros = new Uint8Array(MIB * 0.6);
    const entries = ['a', 'b'].map((name) => ({ name, data: zeros, deflate: true }));
    const archive = open(zip(entries));
    await archive.read('a');
    await expect(archive.read('b')).rejects.toThrow(unsupported);
  });
});

describe('crc32', () => {
  it('agrees with zlib at every length up to 70 and on noise', () => {
    for (let length = 0; length < 70; length++) {
      const part = noise.subarray(3, 3 + length);
      expect(crc32(part)).toBe(zlibCrc32(part));
    }
    expect(crc32(noise)).toBe(zlibCrc32(noise));
  });
});
