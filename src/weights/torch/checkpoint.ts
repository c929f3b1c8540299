import { Budget, type PickleValue } from './pickle.ts';
import type { StorageLoader } from './storage.ts';

/** A checkpoint whose pickle is read and whose storages are not yet looked at. */
export interface Checkpoint {
  /** The Python value that was saved; its tensors are `TensorRef`s. */
  readonly root: PickleValue;
  /** The bytes of a storage: a view of the file unless it is deflated. */
  readonly load: StorageLoader;
}

const MIB = 2 ** 20;

/**
 * What reading a file of `fileBytes` may take besides the file itself: with it at most 4 times the
 * file and 56 MiB.
 */
export function memoryLimits(fileBytes: number): {
  /** For the values of the pickles. */
  readonly values: Budget;
  /** Bytes that deflated entries may unpack to. */
  readonly unpackBytes: number;
  /** Bytes of tensors that must be gathered because their elements do not lie in order. */
  readonly copyBytes: number;
} {
  return {
    values: new Budget(fileBytes + 24 * MIB),
    unpackBytes: fileBytes + 16 * MIB,
    copyBytes: fileBytes + 16 * MIB,
  };
}
