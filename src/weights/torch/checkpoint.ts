import { Budget, type PickleValue } from './pickleValue.ts';
import type { StorageLoader } from './storage.ts';

/** A checkpoint whose pickle has been read. Its storages are not loaded yet. */
export interface Checkpoint {
  /** The saved Python value. Its tensors are `TensorRef`s. */
  readonly root: PickleValue;
  /**
   * Returns the bytes of a storage. They are a view of the file unless they were stored as a
   * deflated zip entry.
   */
  readonly load: StorageLoader;
}

const MIB = 2 ** 20;

/**
 * Returns the memory limits for reading a file of `fileBytes` bytes. Including the file itself,
 * reading uses at most 56 MiB of memory plus 4 times the file size.
 */
export function memoryLimits(fileBytes: number): {
  /** The memory budget for the Python values that are decoded from pickles. */
  readonly values: Budget;
  /** The maximum total size of the deflated zip entries after unpacking, in bytes. */
  readonly unpackBytes: number;
  /**
   * The maximum total size, in bytes, of tensors that must be copied because they are not
   * contiguous.
   */
  readonly copyBytes: number;
} {
  return {
    values: new Budget(fileBytes + 24 * MIB),
    unpackBytes: fileBytes + 16 * MIB,
    copyBytes: fileBytes + 16 * MIB,
  };
}
