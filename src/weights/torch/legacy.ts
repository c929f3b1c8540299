import { DTYPE_BYTES } from '../tensor.ts';
import { type Checkpoint, memoryLimits } from './checkpoint.ts';
import { KNOWN_GLOBALS, StorageTable } from './globals.ts';
import { readPickle } from './pickle.ts';
import type { PickleValue } from './pickleValue.ts';
import { corrupt, printable, unsupported } from './refusal.ts';
import type { Storage } from './storage.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
const COUNT_BYTES = 8;

/**
 * Opens a checkpoint in the format that PyTorch used before version 1.6. The file contains five
 * pickles (magic number, protocol, system information, saved value, storage keys), followed by the
 * storages in the order of these keys. Each storage is an int64 count of elements, followed by the
 * elements. Nothing in the file is executed.
 *
 * The format has no checksum, but the reader checks the keys, the counts and the end of the file.
 * Loading does not copy the storages: they are views of `bytes`.
 * @throws CrispenError `MODEL_CORRUPT` for a damaged file; `MODEL_UNSUPPORTED` for unsupported
 *   content, such as big-endian numbers.
 */
export function openLegacy(bytes: Uint8Array): Checkpoint {
  const budget = memoryLimits(bytes.length).values;
  const table = new StorageTable();
  let at = 0;
  const next = (persistent?: StorageTable['resolve']): PickleValue => {
    const options = { globals: KNOWN_GLOBALS, budget, ...(persistent && { persistent }) };
    const { value, end } = readPickle(bytes, at, options);
    at = end;
    return value;
  };

  if (next() !== MAGIC) throw unsupported('it is a pickle, but torch.save did not write it');
  const protocol = next();
  if (protocol !== PROTOCOL) throw unsupported('it has an unknown version of the legacy format');
  const machine = next();
  if (!(machine instanceof Map)) throw corrupt('its system information is not a dictionary');
  if (machine.get('little_endian') !== true) throw unsupported('its numbers are big-endian');
  const root = next(table.resolve);
  const keys = next();
  if (!Array.isArray(keys)) throw corrupt('the keys of its storages are not a list');

  const storages = readStorages(bytes, at, keys, table.storages);
  return { root, load: ({ key }) => storages.get(key)! };
}

function readStorages(
  bytes: Uint8Array,
  start: number,
  keys: readonly PickleValue[],
  described: ReadonlyMap<string, Storage>,
): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const storages = new Map<string, Uint8Array>();
  let at = start;
  for (const key of keys) {
    const storage = typeof key === 'string' ? described.get(key) : undefined;
    if (storage === undefined || storages.has(storage.key)) {
      throw corrupt('the list of its storages has an unused one, or one twice');
    }
    const shown = `storage ${printable(storage.key)}`;
    if (at + COUNT_BYTES > bytes.length) throw corrupt(`it ends before ${shown}`);
    const count = view.getBigInt64(at, true);
    if (count !== BigInt(storage.count)) {
      throw corrupt(`${shown} has ${count} elements, not ${storage.count}`);
    }
    at += COUNT_BYTES;
    const end = at + storage.count * DTYPE_BYTES[storage.dtype];
    if (end > bytes.length) throw corrupt(`it ends inside ${shown}`);
    storages.set(storage.key, bytes.subarray(at, end));
    at = end;
  }
  if (storages.size !== described.size) throw corrupt('a storage that a tensor uses is missing');
  if (at !== bytes.length) throw corrupt('it has extra bytes after its last storage');
  return storages;
}
