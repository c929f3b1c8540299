import type { Bytes } from './bytes.ts';

/** The first frames of a GIF: where their right and lower edges are on the screen. */
export function* gifFrames(bytes: Bytes, most: number): Generator<readonly [number, number]> {
  const tableSize = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let frames = 0;
  let at = 13 + tableSize(bytes.at(10));
  while (at < bytes.data.length) {
    const kind = bytes.at(at);
    if (kind === 0x21) at += 2;
    else if (kind === 0x2c) {
      const [x, y, width, height] = [1, 3, 5, 7].map((word) => bytes.u16le(at + word));
      yield [x + width, y + height];
      if (++frames === most) return;
      at += 11 + tableSize(bytes.at(at + 9));
    } else return;
    while (bytes.at(at) > 0) at += 1 + bytes.at(at);
    at++;
  }
}
