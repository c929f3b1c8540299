import { corrupt, printable, unsupported } from './refusal.ts';

// The core compiles without the DOM library, but pages, workers and Node all provide this class.
declare const DecompressionStream: new (
  format: 'deflate-raw',
) => {
  readonly readable: {
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }>;
      cancel(): Promise<void>;
    };
  };
  readonly writable: {
    getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
  };
};

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END = 0x06054b50;
const END_64_LOCATOR = 0x07064b50;
const END_64 = 0x06064b50;
const LOCAL_HEADER_BYTES = 30;
const CENTRAL_HEADER_BYTES = 46;
const END_BYTES = 22;
const END_64_LOCATOR_BYTES = 20;
const END_64_BYTES = 56;
const MAX_COMMENT_BYTES = 0xffff;
const ZIP64_EXTRA = 0x0001;
const IN_ZIP64 = 0xffffffff;
const IN_ZIP64_SHORT = 0xffff;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;
/**
 * The maximum number of entries. The limit is needed because an entry's record in the file can be
 * as short as 46 bytes, but the entry uses more memory than that.
 */
const MAX_ENTRIES = 100_000;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  /** The entry's size in the file. */
  readonly packedSize: number;
  /** The entry's size after unpacking. */
  readonly size: number;
  readonly headerAt: number;
  readonly dataAt: number;
}

/**
 * A zip archive of stored and deflated entries, with support for zip64. Sizes and checksums are
 * read from the central directory only, because PyTorch omits them from the local headers. A local
 * header is used only to find the position of the data.
 *
 * Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
 */
export class ZipArchive {
  readonly #bytes: Uint8Array;
  readonly #entries: ReadonlyMap<string, Entry>;
  #unpackLeft: number;

  /**
   * Reads the directory. `unpackBytes` limits the total size of unpacked entries.
   * @throws CrispenError `MODEL_CORRUPT` for a malformed directory, or for entries that overlap,
   *   share a name or are outside the file; `MODEL_UNSUPPORTED` for encryption, split archives, too
   *   many entries, or a compression method other than deflate.
   */
  constructor(bytes: Uint8Array, unpackBytes: number) {
    this.#bytes = bytes;
    this.#entries = readDirectory(bytes);
    this.#unpackLeft = unpackBytes;
  }

  names(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /**
   * Returns the content of an entry after checking its CRC-32. For a stored entry, the result is
   * a view of the file's bytes. A deflated entry is unpacked again on each call.
   * @throws CrispenError `MODEL_CORRUPT` if there is no such entry, or if the size or the checksum
   *   does not match; `MODEL_UNSUPPORTED` if the unpacked entries exceed `unpackBytes` in total.
   */
  async read(name: string): Promise<Uint8Array> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw corrupt(`its archive lacks ${printable(name)}`);
    const packed = this.#bytes.subarray(entry.dataAt, entry.dataAt + entry.packedSize);
    const content = entry.method === STORED ? packed : await this.#unpack(entry, packed);
    if (crc32(content) !== entry.crc) {
      throw corrupt(`the checksum of ${printable(name)} does not match its content`);
    }
    return content;
  }

  #unpack(entry: Entry, packed: Uint8Array): Promise<Uint8Array> {
    this.#unpackLeft -= entry.size;
    if (this.#unpackLeft < 0) {
      throw unsupported('its archive unpacks to far more than its own size');
    }
    return inflate(packed, entry.size, entry.name);
  }
}

/** The position and the size of the central directory, and its number of entries. */
interface DirectoryPlace {
  readonly at: number;
  readonly size: number;
  readonly entries: number;
}

function readDirectory(bytes: Uint8Array): ReadonlyMap<string, Entry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const place = findDirectory(view);
  if (place.entries > MAX_ENTRIES) throw unsupported(`its archive has ${place.entries} entries`);
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  const entries = new Map<string, Entry>();
  const end = place.at + place.size;
  let at = place.at;
  for (let i = 0; i < place.entries; i++) {
    if (end - at < CENTRAL_HEADER_BYTES || view.getUint32(at, true) !== CENTRAL_HEADER) {
      throw corrupt(`entry ${i} of its archive is not where it should be`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const extraAt = at + CENTRAL_HEADER_BYTES + nameLength;
    const next = extraAt + extraLength + view.getUint16(at + 32, true);
    if (next > end) throw corrupt(`entry ${i} of its archive reaches beyond the directory`);
    let name: string;
    try {
      name = utf8.decode(bytes.subarray(at + CENTRAL_HEADER_BYTES, extraAt));
    } catch (cause) {
      throw corrupt(`the name of entry ${i} of its archive is not UTF-8`, cause);
    }
    if (entries.has(name)) throw corrupt(`its archive has ${printable(name)} twice`);
    entries.set(name, readEntry(view, at, name, place.at));
    at = next;
  }
  if (at !== end) throw corrupt('the directory of its archive has extra bytes at the end');
  checkOverlap(entries.values());
  return entries;
}

function findDirectory(view: DataView): DirectoryPlace {
  const length = view.byteLength;
  const lowest = Math.max(0, length - END_BYTES - MAX_COMMENT_BYTES);
  let at = length - END_BYTES;
  // The end record's comment must end at the end of the file. Otherwise, other bytes could be
  // mistaken for an end record.
  while (
    at >= lowest &&
    !(view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === length)
  ) {
    at--;
  }
  if (at < lowest) throw corrupt('its archive has no end record, so the file is probably cut off');
  let place = {
    entries: view.getUint16(at + 10, true),
    size: view.getUint32(at + 12, true),
    at: view.getUint32(at + 16, true),
  };
  let volumes = view.getUint16(at + 4, true);
  let end = at;
  const locator = at - END_64_LOCATOR_BYTES;
  if (locator >= 0 && view.getUint32(locator, true) === END_64_LOCATOR) {
    end = u64(view, locator + 8);
    if (end > locator - END_64_BYTES || view.getUint32(end, true) !== END_64) {
      throw corrupt('the zip64 end record of its archive is not where it should be');
    }
    volumes = view.getUint32(end + 16, true);
    place = {
      entries: u64(view, end + 32),
      size: u64(view, end + 40),
      at: u64(view, end + 48),
    };
  }
  if (volumes !== 0 && volumes !== IN_ZIP64_SHORT)
    throw unsupported('its archive is split into volumes');
  if (place.at + place.size !== end) {
    throw corrupt('the directory of its archive does not end where its end record starts');
  }
  return place;
}

function readEntry(view: DataView, at: number, name: string, directoryAt: number): Entry {
  const shown = printable(name);
  if ((view.getUint16(at + 8, true) & ENCRYPTED) !== 0) throw unsupported(`${shown} is encrypted`);
  const method = view.getUint16(at + 10, true);
  if (method !== STORED && method !== DEFLATED) {
    throw unsupported(`${shown} is packed with method ${method}, neither stored nor deflated`);
  }
  let packedSize = view.getUint32(at + 20, true);
  let size = view.getUint32(at + 24, true);
  let headerAt = view.getUint32(at + 42, true);
  if (size === IN_ZIP64 || packedSize === IN_ZIP64 || headerAt === IN_ZIP64) {
    // The zip64 extra field contains only the values that do not fit into 32 bits. Their order is:
    // unpacked size, packed size, position of the local header.
    const next = zip64Reader(view, at, shown);
    if (size === IN_ZIP64) size = next();
    if (packedSize === IN_ZIP64) packedSize = next();
    if (headerAt === IN_ZIP64) headerAt = next();
  }
  if (
    headerAt + LOCAL_HEADER_BYTES > directoryAt ||
    view.getUint32(headerAt, true) !== LOCAL_HEADER
  ) {
    throw corrupt(`${shown} is not where the directory of its archive says`);
  }
  const dataAt =
    headerAt +
    LOCAL_HEADER_BYTES +
    view.getUint16(headerAt + 26, true) +
    view.getUint16(headerAt + 28, true);
  if (dataAt + packedSize > directoryAt) throw corrupt(`${shown} reaches into the directory`);
  if (method === STORED && size !== packedSize) throw corrupt(`${shown} has two sizes`);
  return { name, method, crc: view.getUint32(at + 16, true), packedSize, size, headerAt, dataAt };
}

/**
 * Returns a function that reads the zip64 extra field of a central header. Each call returns the
 * field's next 64-bit number.
 */
function zip64Reader(view: DataView, headerAt: number, shown: string): () => number {
  let at = headerAt + CENTRAL_HEADER_BYTES + view.getUint16(headerAt + 28, true);
  const end = at + view.getUint16(headerAt + 30, true);
  while (at + 4 <= end) {
    const fieldEnd = at + 4 + view.getUint16(at + 2, true);
    if (fieldEnd > end) break;
    if (view.getUint16(at, true) === ZIP64_EXTRA) {
      let next = at + 4;
      return () => {
        if (next + 8 > fieldEnd) throw corrupt(`the zip64 sizes of ${shown} are incomplete`);
        next += 8;
        return u64(view, next - 8);
      };
    }
    at = fieldEnd;
  }
  throw corrupt(`${shown} lacks its zip64 sizes`);
}

/**
 * Rejects overlapping entries. They can form a zip bomb, in which many names share one block of
 * bytes.
 */
function checkOverlap(entries: Iterable<Entry>): void {
  const sorted = [...entries].sort((a, b) => a.headerAt - b.headerAt);
  let end = 0;
  for (const { name, headerAt, dataAt, packedSize } of sorted) {
    if (headerAt < end) throw corrupt(`${printable(name)} overlaps another entry of its archive`);
    end = dataAt + packedSize;
  }
}

async function inflate(packed: Uint8Array, size: number, name: string): Promise<Uint8Array> {
  const stream = new DecompressionStream('deflate-raw');
  const writer = stream.writable.getWriter();
  // The writes are not awaited yet, because the writer waits for the reader.
  const written = Promise.all([writer.write(packed), writer.close()]);
  written.catch(() => {});
  const reader = stream.readable.getReader();
  const result = new Uint8Array(size);
  let at = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || value === undefined) break;
      if (value.length > size - at) {
        at = Number.POSITIVE_INFINITY;
        await reader.cancel();
        break;
      }
      result.set(value, at);
      at += value.length;
    }
    if (at <= size) await written;
  } catch (cause) {
    throw corrupt(`${printable(name)} is not valid deflate data`, cause);
  }
  if (at !== size) throw corrupt(`${printable(name)} does not unpack to its stated size`);
  return result;
}

/**
 * Reads a 64-bit number. Above 2^53 the result is inexact, but the callers reject such a number
 * because no archive is that large.
 */
function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** The CRC-32 tables for 4 bytes per step (slicing by 4). The polynomial is 0xedb88320. */
const CRC_TABLES = makeCrcTables();

function makeCrcTables(): readonly Uint32Array[] {
  const tables = Array.from({ length: 4 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    tables[0][byte] = crc;
  }
  for (let i = 1; i < 4; i++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[i - 1][byte];
      tables[i][byte] = (before >>> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

/** Computes the CRC-32 that zip, gzip and PNG use. Each step processes four bytes. */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = CRC_TABLES;
  let crc = 0xffffffff;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc =
      t3[crc & 0xff] ^ t2[(crc >>> 8) & 0xff] ^ t1[(crc >>> 16) & 0xff] ^ t0[(crc >>> 24) & 0xff];
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}
