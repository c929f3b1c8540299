import { unsupported } from './refusal.ts';
import type { StorageType, StorageView, TensorRef } from './storage.ts';

/**
 * A Python value. Dictionaries are Maps, so keys from a file cannot reach a JavaScript prototype.
 * Lists and sets are arrays, and tuples are frozen arrays. Integers beyond 2^53 are bigints.
 * Several lists or dictionaries can contain the same object. In a hostile file, an object can even
 * contain itself.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly PickleValue[]
  | PickleMap
  | PickleGlobal
  | Inert
  | StorageType
  | StorageView
  | TensorRef;
export type PickleMap = Map<PickleValue, PickleValue>;

/** A Python value that the reader does not need. Only the name of its class or function is kept. */
export class Inert {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A stand-in for a Python function or class that a pickle may refer to by name. */
export class PickleGlobal {
  /** The module and the name with a space between them, such as `collections OrderedDict`. */
  readonly name: string;
  /**
   * The function that is called instead of the Python function or class. It is null for a name that
   * may be mentioned but not called.
   */
  readonly call: ((args: readonly PickleValue[]) => PickleValue) | null;
  constructor(name: string, call: PickleGlobal['call'] = null) {
    this.name = name;
    this.call = call;
  }
}

/**
 * A stand-in for a Python name that PyTorch uses for tensors of an unsupported element type. A file
 * that contains such a name is rejected as unsupported, not as damaged.
 */
export class UnreadElements {
  /** A description for messages, such as `complex numbers`. */
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

export type KnownGlobal = PickleGlobal | StorageType | UnreadElements;

/**
 * Limits the memory that pickle values use. One byte of a pickle can create an object of hundreds
 * of bytes. Therefore, before a value is created, its approximate size in memory is subtracted from
 * the budget.
 */
export class Budget {
  #left: number;
  /** @param bytes the total memory that the values may use */
  constructor(bytes: number) {
    this.#left = bytes;
  }
  /** @throws CrispenError `MODEL_UNSUPPORTED` once the budget is spent. */
  charge(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) {
      throw unsupported('it describes far more values than a network of its size could have');
    }
  }
}

export interface PickleOptions {
  /**
   * The only names that the pickle may mention. Each key is a module and a name with a space
   * between them, such as `collections OrderedDict`.
   */
  readonly globals: ReadonlyMap<string, KnownGlobal>;
  /**
   * Returns the object that a persistent id stands for. In a checkpoint, this is a storage outside
   * the pickle. If this function is absent, a pickle with persistent ids is rejected.
   */
  readonly persistent?: (id: PickleValue) => PickleValue;
  readonly budget: Budget;
}
