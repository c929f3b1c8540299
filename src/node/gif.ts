import { Bytes } from '../codecs/bytes.ts';
import { gifFrames } from '../codecs/gif.ts';
import { readHeader } from '../codecs/header.ts';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';

/** Decodes a file with libvips and returns its pixels as RGBA. */
type Decode = (file: Uint8Array) => Promise<Rgba8Image>;

/**
 * Decodes a GIF's first frame as browsers do. If the frame does not cover the GIF's whole screen,
 * browsers leave the rest transparent. libvips paints the rest black, or omits it if the screen is
 * large, and needs memory for several copies of the screen. Therefore, this function gives libvips
 * a copy of the file in which the screen is only as large as the frame.
 *
 * @returns null if the frame covers the screen or if there is no frame
 * @throws CrispenError `DECODE_FAILED` if the frame has no pixels
 */
export async function decodeGif(file: Uint8Array, decode: Decode): Promise<Rgba8Image | null> {
  const [frame] = gifFrames(new Bytes(file), 1);
  const { size } = readHeader(file);
  if (!frame || !size) return null;
  const { x, y, at } = frame;
  if (frame.width * frame.height === 0) {
    throw new CrispenError('DECODE_FAILED', 'The first frame of the GIF file has no pixels.', {
      hint: 'Choose another file, or export it anew.',
    });
  }
  const [width, height] = size;
  if (frame.width === width && frame.height === height) return null;

  const alone = Uint8Array.from(file);
  alone.copyWithin(6, at + 5, at + 9);
  alone.fill(0, at + 1, at + 5);
  const image = await decode(alone);
  const data = new Uint8ClampedArray(width * height * 4);
  for (let row = 0; row < image.height; row++) {
    const from = row * image.width * 4;
    data.set(image.data.subarray(from, from + image.width * 4), ((y + row) * width + x) * 4);
  }
  return { width, height, data };
}
