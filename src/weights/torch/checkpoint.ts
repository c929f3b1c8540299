import { Budget, type PickleValue } from './pickleValue.ts';
import type { StorageLoader } from './storage.ts';

/** A checkpoint after its pickle was read. Its storages are not loaded yet. */
export interface Checkpoint {
  /** The saved Python value. Its tensors are `TensorRef`s. */
  readonly root: PickleValue;
  /** Returns the bytes of a storage. They are a view of the file unless the entry is deflated. */
  readonly load: StorageLoader;
}

const MIB = 2 ** 20;

/**
 * Limits the memory for reading a file of `fileBytes` bytes. Together with the file itself, at most
 * 4 times the file size plus 56 MiB are used.
 */
export function memoryLimits(fileBytes: number): {
  /** Memory for the values of the pickles. */
  readonly values: Budget;
  /** The number of bytes to which deflated entries may unpack in total. */
  readonly unpackBytes: number;
  /** The number of bytes of tensors that must be gathered because they are not contiguous. */
  readonly copyBytes: number;
} {
  return {
    values: new Budget(fileBytes + 24 * MIB),
    unpackBytes: fileBytes + 16 * MIB,
    copyBytes: fileBytes + 16 * MIB,
  };
}
