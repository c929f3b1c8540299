import { DTYPE_BYTES, type DType, elementCount, type Tensor, type TensorMap } from '../tensor.ts';
import { corrupt, unsupported } from './refusal.ts';

/** A storage class that a pickle mentions, such as `torch.FloatStorage`. */
export class StorageType {
  readonly dtype: DType;
  constructor(dtype: DType) {
    this.dtype = dtype;
  }
}

/** Raw little-endian elements. The file stores them outside the pickle, under `key`. */
export interface Storage {
  readonly key: string;
  readonly dtype: DType;
  /** The number of elements. */
  readonly count: number;
}

/**
 * A view of a storage. It covers `count` elements, starting at element `offset`. Only legacy files
 * contain views that cover just a part of their storage.
 */
export class StorageView {
  readonly storage: Storage;
  readonly offset: number;
  readonly count: number;
  constructor(storage: Storage, offset: number, count: number) {
    this.storage = storage;
    this.offset = offset;
    this.count = count;
  }
}

/** A tensor as its pickle describes it. Its elements are not loaded yet. */
export class TensorRef {
  readonly storage: Storage;
  /** The position of the first element, counted in elements of the storage. */
  readonly offset: number;
  readonly shape: readonly number[];
  /**
   * For each axis of `shape`, the distance in the storage between neighbours along the axis,
   * counted in elements. It is zero for an axis along which one element is repeated.
   */
  readonly strides: readonly number[];

  /**
   * @throws CrispenError `MODEL_CORRUPT` if an element would be outside the view, or if `strides`
   *   and `shape` differ in length.
   */
  constructor(
    view: StorageView,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    let last = offset;
    for (let i = 0; i < shape.length; i++) last += (shape[i] - 1) * strides[i];
    if (strides.length !== shape.length || (!shape.includes(0) && !(last < view.count))) {
      throw corrupt(
        `a tensor of [${shape}] reaches element ${last} of storage ${view.storage.key}, which has ${view.count}`,
      );
    }
    this.storage = view.storage;
    this.offset = view.offset + offset;
    this.shape = shape;
    this.strides = strides;
  }

  get dtype(): DType {
    return this.storage.dtype;
  }

  /** The number of elements. */
  get count(): number {
    return elementCount(this.shape);
  }
}

/** Loads a storage and returns exactly as many bytes as its elements take. */
export type StorageLoader = (storage: Storage) => Promise<Uint8Array> | Uint8Array;

/**
 * Loads the tensors that `refs` describe. A contiguous tensor is a view of its storage's bytes, so
 * the elements of an uncompressed file are in memory only once. Any other tensor (channels last,
 * transposed or expanded) is copied in row-major order.
 *
 * `copyBytes` limits the total size of the copies, because a tensor with zero strides can have any
 * size even if the file contains only one element.
 * @throws CrispenError `MODEL_UNSUPPORTED` if the copies exceed `copyBytes`. Errors from `load`
 *   are passed on.
 */
export async function loadTensors(
  refs: ReadonlyMap<string, TensorRef>,
  load: StorageLoader,
  copyBytes: number,
): Promise<TensorMap> {
  const tensors = new Map<string, Tensor>();
  let left = copyBytes;
  for (const [name, ref] of refs) {
    const { dtype, shape, offset } = ref;
    const size = DTYPE_BYTES[dtype];
    const length = ref.count * size;
    const contiguous = isContiguous(ref);
    if (!contiguous) left -= length;
    if (left < 0) throw unsupported('its tensors repeat their elements too often');
    const storage = await load(ref.storage);
    const bytes = contiguous
      ? storage.subarray(offset * size, offset * size + length)
      : gather(ref, storage, length);
    tensors.set(name, { dtype, shape, bytes });
  }
  return tensors;
}

/**
 * Returns whether the elements are stored in row-major order without gaps. For axes of length 1,
 * the stride does not matter.
 */
function isContiguous({ shape, strides }: TensorRef): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i];
  }
  return true;
}

/**
 * Copies the elements in row-major order. The indices advance like the digits of an odometer.
 * `source` is the position of the current element.
 */
function gather({ dtype, offset, shape, strides }: TensorRef, storage: Uint8Array, length: number) {
  const size = DTYPE_BYTES[dtype];
  const result = new Uint8Array(length);
  const index = new Array<number>(shape.length).fill(0);
  let source = offset;
  for (let target = 0; target < length; ) {
    for (let i = 0; i < size; i++) result[target++] = storage[source * size + i];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis];
      if (++index[axis] < shape[axis]) break;
      source -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}
