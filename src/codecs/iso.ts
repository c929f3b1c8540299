import type { Bytes } from './bytes.ts';

/** A box in an AVIF, HEIC or JPEG XL file. Sources: ISO 14496-12, ISO 23008-12. */
export interface Box {
  readonly type: string;
  /** The offset of the box's header, which comes before the body. */
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** Finds the boxes of an ISO media file between two offsets. */
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

/** The maximum number of item properties in a file. Items refer to them by 15-bit numbers. */
const MAX_PROPERTIES = 2 ** 15 - 1;

/** Returns the item properties of a still AVIF image. */
export function avifProperties(bytes: Bytes): Box[] {
  const find = (type: string, from: number, to: number) => {
    for (const box of isoBoxes(bytes, from, to)) if (box.type === type) return box;
    return null;
  };
  const meta = find('meta', 0, bytes.data.length);
  const parent = meta && find('iprp', meta.body + 4, meta.end);
  const properties = parent && find('ipco', parent.body, parent.end);
  const boxes: Box[] = [];
  if (!properties) return boxes;
  for (const box of isoBoxes(bytes, properties.body, properties.end)) {
    boxes.push(box);
    if (boxes.length === MAX_PROPERTIES) break;
  }
  return boxes;
}
