import { describe, expect, test } from 'vitest';
import { fromFloat32, toFloat32 } from './convert.ts';
import { DTYPE_BYTES, type DType, type Tensor } from './tensor.ts';

const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
const tensorOf = (dtype: DType, data: ArrayBufferView, shape: readonly number[]): Tensor => ({
  dtype,
  shape,
  bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});
const bitsOf = (tensor: Tensor): number[] => [...new Uint16Array(tensor.bytes.slice().buffer)];
const floats = (...values: number[]): Float32Array => Float32Array.from(values);
const round = (value: number): number => toFloat32(fromFloat32(floats(value), [1], 'f16'))[0];

/** Computes a binary16 number's value directly from the format's definition. */
function halfByDefinition(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe('f16', () => {
  const values = toFloat32(tensorOf('f16', halves, [256, 256]));

  test('all 65536 values are read as the definition says', () => {
    const wrong = halves.filter((bits) => !Object.is(values[bits], halfByDefinition(bits)));
    expect([...wrong]).toEqual([]);
  });

  test('all 65536 values come back, NaNs as quiet NaNs with their payload', () => {
    const back = bitsOf(fromFloat32(values, [65536], 'f16'));
    const wrong = back.filter((bits, i) => bits !== ((i & 0x7fff) > 0x7c00 ? i | 0x200 : i));
    expect(wrong).toEqual([]);
  });

  test('every midpoint of two neighbours goes to the even one, its neighbours to the nearest', () => {
    const wrong: number[] = [];
    const check = (value: number, bits: number): void => {
      if (bitsOf(fromFloat32(floats(value), [1], 'f16'))[0] !== bits) wrong.push(value);
    };
    const next = (value: number, step: 1 | -1): number => {
      const f = floats(value);
      new Uint32Array(f.buffer)[0] += step;
      return f[0];
    };
    for (let low = 0; low < 0x7bff; low += 1) {
      const middle = (halfByDefinition(low) + halfByDefinition(low + 1)) / 2;
      check(middle, low + (low & 1));
      check(next(middle, -1), low);
      check(next(middle, 1), low + 1);
    }
    expect(wrong).toEqual([]);
  });

  test('the ends of the range', () => {
    expect(round(65519.99)).toBe(65504);
    expect(round(65520)).toBe(Infinity);
    expect(round(-1e30)).toBe(-Infinity);
    expect(round(-Infinity)).toBe(-Infinity);
    expect(round(2 ** -25)).toBe(0);
    expect(round(-(2 ** -149))).toBe(-0);
    expect(round(2 ** -25 * 1.001)).toBe(2 ** -24);
    expect(round(Number.NaN)).toBeNaN();
  });
});

test('bf16: all 65536 values are the upper halves of f32 numbers', () => {
  const values = toFloat32(tensorOf('bf16', halves, [65536]));
  expect(values[0x3f80]).toBe(1);
  expect(values[0xc0a0]).toBe(-5);
  expect(values[0xff80]).toBe(-Infinity);
  expect(values[1]).toBe(2 ** -133);
  const bits = new Uint32Array(values.buffer);
  expect([...bits.filter((all, i) => all !== i * 2 ** 16)]).toEqual([]);
});

test('f32 comes back bit for bit', () => {
  const data = floats(0, -0, 1.1, -3e38, 2 ** -149, Infinity, Number.NaN);
  const tensor = fromFloat32(data, [7], 'f32');
  expect(tensor.bytes.buffer).not.toBe(data.buffer);
  expect(toFloat32(tensor)).toEqual(data);
});

test.each<[DType, ArrayBufferView, number[]]>([
  ['f64', Float64Array.of(0.1, -1e300), [Math.fround(0.1), -Infinity]],
  ['i64', BigInt64Array.of(-3n, 2n ** 40n), [-3, 2 ** 40]],
  ['i32', Int32Array.of(-3, 16777217), [-3, 16777216]],
  ['i16', Int16Array.of(-32768, 7), [-32768, 7]],
  ['i8', Int8Array.of(-128, 7), [-128, 7]],
  ['u8', Uint8Array.of(0, 255), [0, 255]],
  ['bool', Uint8Array.of(0, 255), [0, 1]],
])('%s, also at an odd place', (dtype, data, expected) => {
  const { bytes } = tensorOf(dtype, data, [2]);
  expect([...toFloat32({ dtype, shape: [2, 1], bytes })]).toEqual(expected);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  expect([...toFloat32({ dtype, shape: [2], bytes: shifted.subarray(1) })]).toEqual(expected);
});

test('refuses data that do not fit the shape', () => {
  const invalid = expect.objectContaining({ code: 'INVALID_INPUT' });
  for (const dtype of Object.keys(DTYPE_BYTES) as DType[]) {
    expect(() => toFloat32({ dtype, shape: [2], bytes: new Uint8Array(3) })).toThrow(invalid);
  }
  expect(() => fromFloat32(floats(1, 2), [3], 'f16')).toThrow(invalid);
});

test('is a copy', () => {
  const source = floats(1, 2);
  const tensor = tensorOf('f32', source, [2]);
  toFloat32(tensor).fill(0);
  expect([...source]).toEqual([1, 2]);
});
