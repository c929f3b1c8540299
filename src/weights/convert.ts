import { CrispenError } from '../errors.ts';
import { DTYPE_BYTES, elementCount, type Tensor } from './tensor.ts';

/**
 * Copies a tensor's elements as f32 in row-major order.
 *
 * The conversion is exact for f32, f16, bf16, i16, i8, u8 and bool (0 or 1). f64, i64 and i32 are
 * rounded. Infinities and NaN are kept.
 * @throws CrispenError `INVALID_INPUT` if the tensor's bytes do not fit its shape.
 */
export function toFloat32(tensor: Tensor): Float32Array {
  const { dtype, shape, bytes } = tensor;
  const count = elementCount(shape);
  if (bytes.length !== count * DTYPE_BYTES[dtype]) {
    throw new CrispenError(
      'INVALID_INPUT',
      `${bytes.length} bytes do not hold a tensor of ${dtype} [${shape}].`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(count);
  // f32, f16 and bf16 are processed as bits, because a NaN can lose its payload when it is read as
  // a number.
  const bits = new Uint32Array(out.buffer);
  switch (dtype) {
    case 'f64':
      for (let i = 0; i < count; i++) out[i] = view.getFloat64(8 * i, true);
      break;
    case 'f32':
      for (let i = 0; i < count; i++) bits[i] = view.getUint32(4 * i, true);
      break;
    case 'f16':
      for (let i = 0; i < count; i++) bits[i] = float32BitsOfHalf(view.getUint16(2 * i, true));
      break;
    case 'bf16':
      for (let i = 0; i < count; i++) bits[i] = view.getUint16(2 * i, true) << 16;
      break;
    case 'i64':
      for (let i = 0; i < count; i++) out[i] = Number(view.getBigInt64(8 * i, true));
      break;
    case 'i32':
      for (let i = 0; i < count; i++) out[i] = view.getInt32(4 * i, true);
      break;
    case 'i16':
      for (let i = 0; i < count; i++) out[i] = view.getInt16(2 * i, true);
      break;
    case 'i8':
      for (let i = 0; i < count; i++) out[i] = view.getInt8(i);
      break;
    case 'u8':
      out.set(bytes);
      break;
    case 'bool':
      for (let i = 0; i < count; i++) out[i] = bytes[i] === 0 ? 0 : 1;
      break;
  }
  return out;
}

/**
 * Creates a tensor of the given type from row-major f32 values, which are copied. The conversion to
 * f16 rounds to nearest, ties to even. Values that are too large become infinity, and NaN becomes a
 * quiet NaN.
 * @throws CrispenError `INVALID_INPUT` if the number of values does not fit the shape.
 */
export function fromFloat32(
  data: Float32Array,
  shape: readonly number[],
  dtype: 'f32' | 'f16' = 'f32',
): Tensor {
  const count = elementCount(shape);
  if (data.length !== count) {
    throw new CrispenError(
      'INVALID_INPUT',
      `${data.length} values do not make a tensor of shape [${shape}].`,
    );
  }
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const bytes = new Uint8Array(count * DTYPE_BYTES[dtype]);
  const view = new DataView(bytes.buffer);
  if (dtype === 'f32') {
    for (let i = 0; i < count; i++) view.setUint32(4 * i, bits[i], true);
  } else {
    for (let i = 0; i < count; i++) view.setUint16(2 * i, halfOfFloat32Bits(bits[i]), true);
  }
  return { dtype, shape, bytes };
}

const F32_INFINITY = 0x7f80_0000;
const F32_HIDDEN_BIT = 0x0080_0000;
/** The exponent bias of f32 (127) minus that of f16 (15), shifted to f32's exponent bits. */
const REBIAS = 112 << 23;

/**
 * Converts the bits of a binary16 number to those of a binary32 number. The result is always exact.
 */
function float32BitsOfHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) return sign | F32_INFINITY | ((magnitude & 0x3ff) << 13);
  if (magnitude >= 0x0400) return sign | ((magnitude << 13) + REBIAS);
  if (magnitude === 0) return sign;
  // A subnormal number is `magnitude * 2^-24`. The highest set bit, bit `e`, becomes the hidden
  // bit.
  const e = 31 - Math.clz32(magnitude);
  return sign | ((e + 127 - 24) << 23) | ((magnitude << (23 - e)) & (F32_HIDDEN_BIT - 1));
}

/** Converts the bits of a binary32 number to binary16. Rounds to nearest, ties to even. */
function halfOfFloat32Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fff_ffff;
  if (magnitude > F32_INFINITY) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  // The largest finite binary16 number is 65504. Half a step above it, at 65520, values begin to
  // round to infinity.
  if (magnitude >= 0x477f_f000) return sign | 0x7c00;
  // Rounding can carry from the fraction into the exponent. The result is then the next power of
  // two, which is correct.
  if (magnitude >= 0x3880_0000) return sign | (roundToEven(magnitude, 13) - (REBIAS >>> 13));
  // Below 2^-14 the result is subnormal: a multiple of 2^-24. Below 2^-25 it is zero.
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign;
  const fraction = F32_HIDDEN_BIT | (magnitude & (F32_HIDDEN_BIT - 1));
  return sign | roundToEven(fraction, 126 - exponent);
}

/** Computes `value / 2^shift`. Rounds to nearest, ties to even. */
function roundToEven(value: number, shift: number): number {
  const odd = (value >>> shift) & 1;
  return (value + (2 ** (shift - 1) - 1) + odd) >>> shift;
}
