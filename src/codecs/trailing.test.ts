import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { another, everyFormat, TAILS } from '../../test/trailing.ts';
import { openSource } from './source.ts';

const files = await everyFormat();

/**
 * Returns the information that `openSource` finds in a file. Also returns the pixels that a decoder
 * reads from `bare`, the file that `openSource` prepares for decoding.
 */
async function read(file: Buffer) {
  const { bare, ...rest } = await openSource(Uint8Array.from(file), { refused: [] });
  const joined = Buffer.concat(bare);
  // libvips does not read BMP, so the bytes of a BMP file are compared instead, up to the length
  // that its header states.
  const isRead = rest.format !== 'BMP';
  const pixels = isRead
    ? await sharp(joined).raw().toBuffer()
    : joined.subarray(0, joined.readUInt32LE(2));
  return { rest, pixels };
}

describe.each(Object.entries(files))('behind the end of %s', (name, file) => {
  test('nothing counts', async () => {
    const whole = await read(file);
    const other = await another(name);
    const tails = { ...TAILS, 'the file again': file, ...(other && { 'another file': other }) };
    for (const [tail, bytes] of Object.entries(tails)) {
      const found = await read(Buffer.concat([file, bytes])).catch((error) => error);
      expect(found, tail).toEqual(whole);
    }
  });
});

test('stray bytes between segments of a JPEG are skipped, as libjpeg does', async () => {
  const file = files['tagged.jpg'];
  const whole = await read(file);
  expect(whole.rest.tags.icc).not.toBeNull();
  let at = 2;
  for (let segment = 0; segment < 3; segment++) {
    at += 2 + file.readUInt16BE(at + 2);
    const strays = Buffer.of(0, 7, 0xff, 0, 9);
    const found = await read(Buffer.concat([file.subarray(0, at), strays, file.subarray(at)]));
    expect(found).toEqual(whole);
  }
});
