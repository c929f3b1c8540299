import type { Bytes } from './bytes.ts';

/** A box of an AVIF, HEIC or JPEG XL file. Source: ISO 14496-12, ISO 23008-12. */
export interface Box {
  readonly type: string;
  /** Of the whole box, including its header. */
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** The boxes of an ISO media file between two offsets. */
export function* isoBoxes(bytes: Bytes, from: number, to: number): Generator<Box> {
  for (let start = from; start + 8 <= to; ) {
    const size = bytes.u32be(start);
    const large = size === 1;
    const length = large ? bytes.u32be(start + 8) * 2 ** 32 + bytes.u32be(start + 12) : size;
    const end = size === 0 ? to : start + length;
    if (!(end <= to && end > start)) return;
    yield { type: bytes.ascii(start + 4, 4), start, body: start + (large ? 16 : 8), end };
    start = end;
  }
}

/** The properties of a still AVIF's items. */
export function avifProperties(bytes: Bytes): Box[] {
  const inside = (box: Box | undefined, type: string, skip = 0) =>
    box && [...isoBoxes(bytes, box.body + skip, box.end)].find((inner) => inner.type === type);
  const meta = [...isoBoxes(bytes, 0, bytes.data.length)].find(({ type }) => type === 'meta');
  const properties = inside(inside(meta, 'iprp', 4), 'ipco');
  return properties ? [...isoBoxes(bytes, properties.body, properties.end)] : [];
}
