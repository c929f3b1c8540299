import { expect, it } from 'vitest';
import { fromFloat32, toFloat32 } from './convert.ts';
import { halve } from './halve.ts';
import type { Tensor } from './tensor.ts';

const f32 = (...values: number[]) => fromFloat32(Float32Array.from(values), [values.length], 'f32');
const f64 = (...values: number[]): Tensor => ({
  dtype: 'f64',
  shape: [values.length],
  bytes: new Uint8Array(Float64Array.from(values).buffer),
});

it('floating-point tensors become f16, and integers stay as they are', () => {
  const count: Tensor = { dtype: 'i32', shape: [], bytes: new Uint8Array([1, 0, 0, 0]) };
  const halved = halve(new Map([...Object.entries({ a: f32(1, -0.5), b: f64(65504), count })]));
  expect([...halved.values()].map(({ dtype }) => dtype)).toEqual(['f16', 'f16', 'i32']);
  expect([...halved.values()].map((tensor) => [...toFloat32(tensor)])).toEqual([
    [1, -0.5],
    [65504],
    [1],
  ]);
});

// 1e39 is finite in f64 and infinite in f32. 65519.9999 is 65520 in f32.
it.each([
  ['f32', f32(1, 65520), /a contains 65520,/],
  ['f64', f64(1, -65520), /a contains -65520,/],
  ['f64', f64(1, 1e39), /a contains 1e\+39,/],
  ['f64', f64(1, 65519.9999), /a contains 65519\.9999,/],
])('finite values of %s that f16 cannot represent are refused', (_, tensor, message) => {
  expect(() => halve(new Map([['a', tensor]]))).toThrow(message);
});

it('f64 values can be in a part of a Node Buffer, at any offset', () => {
  const file = Buffer.concat([Buffer.alloc(3), Buffer.from(f64(0.5, -2).bytes), Buffer.alloc(5)]);
  const tensor: Tensor = { ...f64(0.5, -2), bytes: file.subarray(3, 19) };
  const halved = halve(new Map([['a', tensor]])).get('a');
  expect([...toFloat32(halved as Tensor)]).toEqual([0.5, -2]);
});

it('infinities and NaN are kept', () => {
  for (const tensor of [f32(1 / 0, -1 / 0, Number.NaN), f64(1 / 0, -1 / 0, Number.NaN)]) {
    const halved = halve(new Map([['a', tensor]])).get('a');
    expect([...toFloat32(halved as Tensor)]).toEqual([1 / 0, -1 / 0, Number.NaN]);
  }
});
