import { Budget, type PickleValue } from './pickleValue.ts';
import type { StorageLoader } from './storage.ts';

/** A checkpoint whose pickle is read and whose storages are not loaded yet. */
export interface Checkpoint {
  /** The saved Python value. Its tensors are `TensorRef`s. */
  readonly root: PickleValue;
  /** Returns the bytes of a storage: a view of the file unless the entry is deflated. */
  readonly load: StorageLoader;
}

const MIB = 2 ** 20;

/**
 * Limits the memory that reading a file of `fileBytes` may use besides the file. The total is at
 * most 4 times the file plus 56 MiB.
 */
export function memoryLimits(fileBytes: number): {
  /** Memory for the values of the pickles. */
  readonly values: Budget;
  /** Bytes that deflated entries may unpack to. */
  readonly unpackBytes: number;
  /** Bytes of tensors that must be gathered because they are not contiguous. */
  readonly copyBytes: number;
} {
  return {
    values: new Budget(fileBytes + 24 * MIB),
    unpackBytes: fileBytes + 16 * MIB,
    copyBytes: fileBytes + 16 * MIB,
  };
}
