/** The element types that can be read from weight files. */
export type DType = 'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u8' | 'bool';

/** The number of bytes per element. */
export const DTYPE_BYTES: Readonly<Record<DType, number>> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
};

/**
 * A tensor in a weight file. Its elements are contiguous, row-major and little-endian. `bytes` is a
 * view into the file where possible, so it can start at any byte offset. If `shape` is empty, the
 * tensor is a scalar.
 */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The tensors of one weight file, by name. */
export type TensorMap = ReadonlyMap<string, Tensor>;

/** The names, types and shapes of the tensors in a weight file. They determine the network. */
export type Outline = ReadonlyMap<string, Pick<Tensor, 'dtype' | 'shape'>>;

/** Returns the number of elements of a tensor with this shape. A scalar (rank 0) has one. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}
