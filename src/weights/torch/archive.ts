import { DTYPE_BYTES } from '../tensor.ts';
import { type Checkpoint, memoryLimits } from './checkpoint.ts';
import { KNOWN_GLOBALS, StorageTable } from './globals.ts';
import { readPickle } from './pickle.ts';
import { corrupt, unsupported } from './refusal.ts';
import type { Storage } from './storage.ts';
import { ZipArchive } from './zip.ts';

const PICKLE = '/data.pkl';

/**
 * Opens a checkpoint of PyTorch 1.6 or later. It is a zip archive that contains a pickle,
 * `<name>/data.pkl`, and raw storages, `<name>/data/<key>`. Nothing in the archive is executed (see
 * `readPickle`). When a storage is loaded, its CRC-32 is checked. Each storage is loaded at most
 * once.
 *
 * If the entries are stored (not deflated), loading does not copy them: storages are views of
 * `bytes`.
 * @throws CrispenError `MODEL_CORRUPT` for a damaged file; `MODEL_UNSUPPORTED` for unsupported
 *   content, such as big-endian numbers.
 */
export async function openArchive(bytes: Uint8Array): Promise<Checkpoint> {
  const limits = memoryLimits(bytes.length);
  const archive = new ZipArchive(bytes, limits.unpackBytes);
  const names = new Set(archive.names());
  const top = findTop(names);
  if (names.has(`${top}/constants.pkl`)) {
    throw unsupported('it is a TorchScript program, not a state dictionary');
  }
  const byteOrder = `${top}/byteorder`;
  if (names.has(byteOrder)) {
    const order = String.fromCharCode(...(await archive.read(byteOrder)).subarray(0, 8)).trim();
    if (order !== 'little') throw unsupported('its numbers are big-endian');
  }
  const pickle = await archive.read(`${top}${PICKLE}`);
  const table = new StorageTable();
  const { value, end } = readPickle(pickle, 0, {
    globals: KNOWN_GLOBALS,
    persistent: table.resolve,
    budget: limits.values,
  });
  if (end !== pickle.length) throw corrupt('its pickle has extra bytes at the end');

  const loaded = new Map<string, Uint8Array>();
  const load = async ({ key, dtype, count }: Storage): Promise<Uint8Array> => {
    let storage = loaded.get(key);
    if (storage === undefined) {
      storage = await archive.read(`${top}/data/${key}`);
      if (storage.length !== count * DTYPE_BYTES[dtype]) {
        throw corrupt(`storage ${key} has ${storage.length} bytes for ${count} ${dtype}`);
      }
      loaded.set(key, storage);
    }
    return storage;
  };
  return { root: value, load };
}

/**
 * Returns the name of the folder that contains all entries. It is the name under which the file was
 * first saved.
 */
function findTop(names: ReadonlySet<string>): string {
  const found = [...names].filter(
    (name) => name.indexOf('/') === name.length - PICKLE.length && name.endsWith(PICKLE),
  );
  if (found.length !== 1) {
    throw unsupported('it is a zip archive without the data.pkl of PyTorch');
  }
  return found[0].slice(0, -PICKLE.length);
}
