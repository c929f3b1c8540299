/** Assembles valid and hostile pickles, zip archives and PyTorch checkpoints byte by byte. */
import { deflateRawSync, crc32 as zlibCrc32 } from 'node:zlib';

export function concat(...parts: readonly (Uint8Array | readonly number[] | string)[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array))));
}

export function u16(value: number): Uint8Array {
  return new Uint8Array(new Uint16Array([value]).buffer);
}
export function u32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}
export function u64(value: number | bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([BigInt(value)]).buffer);
}

/**
 * Opcodes, named after their letters in CPython's pickletools. Opcodes outside ASCII have full
 * names.
 */
export const OP = {
  proto: [0x80, 2],
  tuple1: [0x85],
  tuple2: [0x86],
  tuple3: [0x87],
  newTrue: [0x88],
  newFalse: [0x89],
} as const;

export function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return concat('X', u32(bytes.length), bytes);
}
export function int(value: number | bigint): Uint8Array {
  if (typeof value === 'number') return concat('J', u32(value >>> 0));
  return concat([0x8a, 8], u64(BigInt.asUintN(64, value)));
}
export function tuple(...items: readonly Uint8Array[]): Uint8Array {
  return concat('(', ...items, 't');
}
export function dict(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return concat(
    '}(',
    ...Object.entries(entries).flatMap(([name, value]) => [text(name), value]),
    'u',
  );
}
export function global(module: string, name: string): Uint8Array {
  return concat('c', `${module}\n${name}\n`);
}
export function reduce(callee: Uint8Array, ...args: readonly Uint8Array[]): Uint8Array {
  return concat(callee, tuple(...args), 'R');
}
export function pickle(value: Uint8Array): Uint8Array {
  return concat(OP.proto, value, '.');
}

export interface ForgedTensor {
  readonly key?: string;
  readonly type?: string;
  /** The number of elements in the storage. */
  readonly count: number;
  readonly offset?: number | bigint;
  readonly shape: readonly (number | bigint)[];
  readonly strides: readonly (number | bigint)[];
  /** A view as in old legacy files: key, offset and count. */
  readonly window?: readonly [string, number, number];
}

/** Creates a call to `_rebuild_tensor_v2`. */
export function tensor(options: ForgedTensor): Uint8Array {
  const { key = '0', type = 'FloatStorage', count, offset = 0, shape, strides, window } = options;
  const id = [text('storage'), global('torch', type), text(key), text('cpu'), int(count)];
  if (window !== undefined) id.push(tuple(text(window[0]), int(window[1]), int(window[2])));
  return reduce(
    global('torch._utils', '_rebuild_tensor_v2'),
    concat(tuple(...id), 'Q'),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    concat(OP.newFalse),
    reduce(global('collections', 'OrderedDict')),
  );
}

export interface ForgedEntry {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  /** False values for the central directory. */
  readonly claims?: {
    readonly size?: number;
    readonly packedSize?: number;
    readonly headerAt?: number;
    readonly crc?: number;
    readonly method?: number;
    readonly flags?: number;
  };
}

/**
 * Creates a zip archive. As in PyTorch's archives, the local headers contain neither sizes nor
 * checksums.
 */
export function zip(entries: readonly ForgedEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const common = (method: number, flags: number) =>
    concat(u16(20), u16(flags), u16(method), u32(0x21_0000));
  for (const { name, data, deflate = false, claims = {} } of entries) {
    const packed = deflate ? new Uint8Array(deflateRawSync(data)) : data;
    const method = deflate ? 8 : 0;
    const title = Buffer.from(name);
    const local = concat('PK\x03\x04', common(method, 8), new Uint8Array(12), u16(title.length));
    parts.push(concat(local, u16(0), title), packed);
    directory.push(
      concat('PK\x01\x02', u16(20), common(claims.method ?? method, claims.flags ?? 8)),
      concat(u32(claims.crc ?? crcOf(data)), u32(claims.packedSize ?? packed.length)),
      concat(u32(claims.size ?? data.length), u16(title.length), new Uint8Array(12)),
      concat(u32(claims.headerAt ?? at), title),
    );
    at += local.length + 2 + title.length + packed.length;
  }
  const table = concat(...directory);
  const count = u16(entries.length);
  const end = concat('PK\x05\x06', u32(0), count, count, u32(table.length), u32(at), u16(0));
  return concat(...parts, table, end);
}

/** Creates a zip checkpoint in the folder `net/`, from a value and its storages. */
export function torchZip(
  value: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
  options: { readonly deflate?: boolean; readonly more?: readonly ForgedEntry[] } = {},
): Uint8Array {
  const deflate = options.deflate ?? false;
  return zip([
    { name: 'net/data.pkl', data: pickle(value), deflate },
    ...Object.entries(storages).map(([key, data]) => ({ name: `net/data/${key}`, data, deflate })),
    { name: 'net/version', data: concat('3\n') },
    ...(options.more ?? []),
  ]);
}

/**
 * Creates a legacy checkpoint. The storages are in the given order, each with its number of
 * elements.
 */
export function torchLegacy(
  value: Uint8Array,
  storages: readonly { readonly key: string; readonly count: number; readonly data: Uint8Array }[],
  littleEndian = true,
): Uint8Array {
  return concat(
    pickle(concat([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19])),
    pickle(int(1001)),
    pickle(dict({ little_endian: concat(littleEndian ? OP.newTrue : OP.newFalse) })),
    pickle(value),
    pickle(concat('](', ...storages.map(({ key }) => text(key)), 'e')),
    ...storages.flatMap(({ count, data }) => [u64(count), data]),
  );
}

/** Returns the bytes of float32 values. */
export function floats(...values: readonly number[]): Uint8Array {
  return new Uint8Array(new Float32Array(values).buffer);
}

function crcOf(data: Uint8Array): number {
  return zlibCrc32(data);
}
