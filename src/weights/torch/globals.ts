import type { DType } from '../tensor.ts';
import {
  Inert,
  type KnownGlobal,
  PickleGlobal,
  type PickleValue,
  UnreadElements,
} from './pickleValue.ts';
import { corrupt, unsupported } from './refusal.ts';
import { type Storage, StorageType, StorageView, TensorRef } from './storage.ts';

const STORAGE_TYPES: Readonly<Record<string, DType>> = {
  DoubleStorage: 'f64',
  FloatStorage: 'f32',
  HalfStorage: 'f16',
  BFloat16Storage: 'bf16',
  LongStorage: 'i64',
  IntStorage: 'i32',
  ShortStorage: 'i16',
  CharStorage: 'i8',
  ByteStorage: 'u8',
  BoolStorage: 'bool',
};
/**
 * Names that PyTorch uses for tensors of unsupported element types. The keys describe the types in
 * messages. A checkpoint that contains these names can be valid, but is rejected.
 */
const UNREAD: Readonly<Record<string, readonly string[]>> = {
  'complex numbers': ['torch ComplexFloatStorage', 'torch ComplexDoubleStorage'],
  'quantised integers': [
    'torch QInt8Storage',
    'torch QUInt8Storage',
    'torch QInt32Storage',
    'torch QUInt4x2Storage',
    'torch QUInt2x4Storage',
    'torch._utils _rebuild_qtensor',
  ],
  // PyTorch uses these two names for element types that have no storage class of their own.
  'float8, uint16, uint32 or uint64': [
    'torch._utils _rebuild_tensor_v3',
    'torch.storage UntypedStorage',
  ],
};
/** The maximum number of axes of a tensor. Tensors in real networks have far fewer axes. */
const MAX_RANK = 16;

/**
 * Python functions and classes whose results the reader does not need. Training checkpoints contain
 * calls to them, in addition to the weights. Instead of a result, the reader keeps only the name of
 * the function or class.
 */
const INERT_CALLS = [
  'torch device',
  '_codecs encode',
  '__builtin__ bytearray',
  'builtins bytearray',
  'numpy dtype',
  'numpy.core.multiarray scalar',
  'numpy._core.multiarray scalar',
  'numpy.core.multiarray _reconstruct',
  'numpy._core.multiarray _reconstruct',
  'argparse Namespace',
];
/** Names of types that checkpoints mention but never call as functions. */
const INERT_NAMES = [
  'numpy ndarray',
  ...[
    ...['float64', 'float32', 'float16', 'bfloat16', 'float8_e4m3fn', 'float8_e5m2'],
    ...['int64', 'int32', 'int16', 'int8', 'uint64', 'uint32', 'uint16', 'uint8'],
    ...['bool', 'complex64', 'complex128'],
  ].map((name) => `torch ${name}`),
];

/**
 * The Python names that a checkpoint may refer to, such as `collections OrderedDict`, with a
 * stand-in for each. These are the names on PyTorch's `weights_only` allowlist that state
 * dictionaries and training checkpoints need, and also `argparse Namespace`.
 */
export const KNOWN_GLOBALS: ReadonlyMap<string, KnownGlobal> = new Map<string, KnownGlobal>([
  ...Object.entries(STORAGE_TYPES).map(
    ([name, dtype]) => [`torch ${name}`, new StorageType(dtype)] as const,
  ),
  ...Object.entries(UNREAD).flatMap(([what, names]) =>
    names.map((name) => [name, new UnreadElements(what)] as const),
  ),
  ...[
    ...INERT_CALLS.map((name) => new PickleGlobal(name, () => new Inert(name))),
    ...INERT_NAMES.map((name) => new PickleGlobal(name)),
    new PickleGlobal('collections OrderedDict', makeDictionary),
    new PickleGlobal('typing OrderedDict', makeDictionary),
    new PickleGlobal('collections Counter', makeDictionary),
    new PickleGlobal('__builtin__ set', firstList),
    new PickleGlobal('builtins set', firstList),
    new PickleGlobal('torch Size', firstList),
    new PickleGlobal('torch._utils _rebuild_tensor', rebuildTensor),
    new PickleGlobal('torch._utils _rebuild_tensor_v2', rebuildTensor),
    new PickleGlobal('torch._utils _rebuild_parameter', rebuildParameter),
  ].map((global) => [global.name, global] as const),
]);

/**
 * Reads persistent ids, by which a pickle refers to storages. They are tuples of the form
 * `('storage', type, key, location, count)`. In the legacy format, they have a sixth entry, the
 * window. If it is not null, it states which part of the storage is used. `storages` contains each
 * storage under its key.
 */
export class StorageTable {
  readonly storages = new Map<string, Storage>();

  /**
   * Returns the storage, or the window of a storage, that a persistent id refers to.
   * @throws CrispenError `MODEL_CORRUPT` for an invalid id; `MODEL_UNSUPPORTED` for the id of a
   *   network that was saved as a Python object.
   */
  readonly resolve = (id: PickleValue): StorageView => {
    if (!Array.isArray(id)) throw corrupt('the name of a storage is not a tuple');
    const [kind, type, key, , count, window] = id as readonly PickleValue[];
    if (kind === 'module') {
      throw unsupported('it holds a network as a Python object with its source text');
    }
    if (kind !== 'storage' || !(type instanceof StorageType) || typeof key !== 'string') {
      throw corrupt('a storage is not named by its type and key');
    }
    const storage = this.#add({ key, dtype: type.dtype, count: toSize(count) });
    if (window === undefined || window === null) return new StorageView(storage, 0, storage.count);
    if (!Array.isArray(window)) throw corrupt('a window of a storage is not a tuple');
    const view = new StorageView(storage, toSize(window[1]), toSize(window[2]));
    if (view.offset + view.count > storage.count) {
      throw corrupt(`a window reaches beyond storage ${key}`);
    }
    return view;
  };

  #add(storage: Storage): Storage {
    const known = this.storages.get(storage.key);
    if (known === undefined) {
      this.storages.set(storage.key, storage);
      return storage;
    }
    if (known.dtype !== storage.dtype || known.count !== storage.count) {
      throw corrupt(`storage ${storage.key} is described in two ways`);
    }
    return known;
  }
}

function makeDictionary(args: readonly PickleValue[]): PickleValue {
  if (args.length === 0) return new Map();
  if (args.length === 1 && args[0] instanceof Map) return args[0];
  if (args.length === 1 && Array.isArray(args[0])) return dictionaryOfPairs(args[0]);
  throw corrupt('a dictionary is made from values that are not entries');
}

/** Reads a dictionary in the form that Python 2 writes: `OrderedDict([[key, value], ...])`. */
function dictionaryOfPairs(pairs: readonly PickleValue[]): PickleValue {
  const result = new Map<PickleValue, PickleValue>();
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw corrupt('a dictionary entry is not a pair');
    result.set(pair[0], pair[1]);
  }
  return result;
}

function firstList(args: readonly PickleValue[]): PickleValue {
  if (args.length !== 1 || !Array.isArray(args[0]))
    throw corrupt('a list is made from a value that is not a list');
  return args[0];
}

/**
 * Creates a tensor from `_rebuild_tensor`'s arguments, `(storage, offset, shape, strides, ...)`.
 * Ignores gradients, hooks and metadata.
 */
function rebuildTensor(args: readonly PickleValue[]): PickleValue {
  const [view, offset, shape, strides] = args;
  if (!(view instanceof StorageView)) throw corrupt('a tensor has no storage');
  return new TensorRef(view, toSize(offset), toSizes(shape), toSizes(strides));
}

/** Returns the tensor from `_rebuild_parameter`'s arguments, `(tensor, requires_grad, hooks)`. */
function rebuildParameter(args: readonly PickleValue[]): PickleValue {
  if (!(args[0] instanceof TensorRef)) throw corrupt('a parameter has no tensor');
  return args[0];
}

function toSize(value: PickleValue): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw corrupt('a size is not a whole number of 0 or more');
  }
  return value;
}

function toSizes(value: PickleValue): readonly number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK)
    throw corrupt('a shape is not a short tuple');
  return value.map(toSize);
}
