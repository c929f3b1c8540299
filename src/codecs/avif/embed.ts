import type { ImageTags } from '../../image/tags.ts';
import { ascii, Bytes, join } from '../bytes.ts';
import { isoBoxes } from '../iso.ts';

/**
 * Adds the colour profile as a property of the primary item. A `colr` box with the profile is added
 * to the `ipco` box, and the `ipma` box then assigns it to the item. The `iloc` box contains file
 * offsets, which are increased by the number of added bytes.
 */
export function embedAvif(
  file: Uint8Array<ArrayBuffer>,
  { icc }: ImageTags,
): Uint8Array<ArrayBuffer> {
  if (!icc) return file;
  const bytes = new Bytes(file);
  const find = (type: string, from: number, to: number) => {
    const box = [...isoBoxes(bytes, from, to)].find((one) => one.type === type);
    if (!box) throw new TypeError(`no ${type} in the AVIF file`);
    return box;
  };
  const meta = find('meta', 0, file.length);
  const iprp = find('iprp', meta.body + 4, meta.end);
  const ipco = find('ipco', iprp.body, iprp.end);
  const ipma = find('ipma', iprp.body, iprp.end);
  const iloc = find('iloc', meta.body + 4, meta.end);
  const properties = [...isoBoxes(bytes, ipco.body, ipco.end)];
  const pitm = find('pitm', meta.body + 4, meta.end);
  const primary =
    bytes.at(pitm.body) === 0 ? bytes.u16be(pitm.body + 4) : bytes.u32be(pitm.body + 4);
  const property = properties.length + 1;

  // `rows` becomes the content of the new `ipma` box: the old table, with the profile added to the
  // primary item's properties. The table's version determines the size of an item id, and its flags
  // determine the size of a property index.
  const version = bytes.at(ipma.body);
  const wide = (bytes.at(ipma.body + 3) & 1) !== 0;
  const idBytes = version < 1 ? 2 : 4;
  const rows: Uint8Array[] = [file.subarray(ipma.body, ipma.body + 8)];
  let at = ipma.body + 8;
  for (let entry = bytes.u32be(ipma.body + 4); entry > 0; entry--) {
    const count = bytes.at(at + idBytes);
    const list = at + idBytes + 1;
    const end = list + count * (wide ? 2 : 1);
    const isPrimary = (idBytes === 2 ? bytes.u16be(at) : bytes.u32be(at)) === primary;
    rows.push(file.subarray(at, at + idBytes), Uint8Array.of(count + (isPrimary ? 1 : 0)));
    rows.push(file.subarray(list, end));
    if (isPrimary)
      rows.push(wide ? Uint8Array.of(property >> 8, property & 255) : Uint8Array.of(property));
    at = end;
  }
  const box = (type: string, ...content: Uint8Array[]) => {
    const whole = join([new Uint8Array(4), ascii(type), ...content]);
    new DataView(whole.buffer).setUint32(0, whole.length);
    return whole;
  };
  const newIpma = box('ipma', ...rows);
  const colr = box('colr', ascii('prof'), icc);
  const grown = colr.length + newIpma.length - (ipma.end - ipma.start);
  const newIprp = box(
    'iprp',
    box('ipco', file.subarray(ipco.body, ipco.end), colr),
    ...[...isoBoxes(bytes, iprp.body, iprp.end)]
      .filter(({ type }) => type !== 'ipco')
      .map(({ type, start, end }) => (type === 'ipma' ? newIpma : file.subarray(start, end))),
  );
  const whole = join([
    file.subarray(0, meta.start),
    box('meta', file.subarray(meta.body, iprp.start), newIprp, file.subarray(iprp.end, meta.end)),
    file.subarray(meta.end),
  ]);
  // The `iprp` box has grown, so `iloc` has moved if it comes after `iprp`.
  shiftOffsets(whole, iloc.start < iprp.start ? iloc.body : iloc.body + grown, meta.end, grown);
  return whole;
}

/**
 * Updates the file offsets in an item location box (`iloc`): adds the number `by` to each offset
 * that is at least the value `from`. This value is the end of the old metadata, so these offsets
 * refer to data that has moved.
 */
function shiftOffsets(file: Uint8Array, body: number, from: number, by: number): void {
  const bytes = new Bytes(file);
  const view = new DataView(file.buffer, file.byteOffset);
  const version = bytes.at(body);
  const sizes = bytes.u16be(body + 4);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  const wideIds = version === 2;
  const shift = (at: number, size: number) => {
    if (size !== 4 && size !== 8) return;
    const low = at + size - 4;
    const value = view.getUint32(low);
    if (value >= from) view.setUint32(low, value + by);
  };
  let at = body + 6;
  const items = wideIds ? bytes.u32be(at) : bytes.u16be(at);
  at += wideIds ? 4 : 2;
  for (let item = 0; item < items; item++) {
    at += wideIds ? 4 : 2;
    const method = version > 0 ? bytes.u16be(at) & 15 : 0;
    at += (version > 0 ? 2 : 0) + 2;
    const base = at;
    at += baseSize;
    const extents = bytes.u16be(at);
    at += 2;
    const hasBase = baseSize > 0 && view.getUint32(base + baseSize - 4) > 0;
    if (method === 0 && hasBase) shift(base, baseSize);
    for (let extent = 0; extent < extents; extent++) {
      at += indexSize;
      if (method === 0 && !hasBase) shift(at, offsetSize);
      at += offsetSize + lengthSize;
    }
  }
}
