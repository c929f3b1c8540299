import { expect, it } from 'vitest';
import { type SizeWish, wishedSize } from './size.ts';
import { checkOneSize } from './sizeRules.ts';

it.each<[[number, number], SizeWish, [number, number]]>([
  [[10, 7], { scale: 2 }, [20, 14]],
  [[10, 7], { scale: 2.7 }, [27, 19]],
  [[5, 3], { scale: 1.5 }, [8, 5]], // 7.5 and 4.5 are rounded up
  [[1, 1], { scale: 0.2 }, [1, 1]],
  [[100, 3], { scale: 0.1 }, [10, 1]],
  [[640, 427], { width: 1920 }, [1920, 1281]],
  [[640, 427], { height: 1080 }, [1619, 1080]],
  [[640, 427], { fit: { width: 4096, height: 4096 } }, [4096, 2733]],
  [[427, 640], { fit: { width: 4096, height: 4096 } }, [2733, 4096]],
  [[640, 427], { fit: { width: 100, height: 50 } }, [75, 50]],
  [[3, 1000], { fit: { width: 50, height: 50 } }, [1, 50]],
  [[7, 7], { fit: { width: 112, height: 112 } }, [112, 112]],
])('%j by %j becomes %j', ([width, height], wish, expected) => {
  const size = wishedSize({ width, height }, wish);
  expect([size.width, size.height]).toEqual(expected);
});

it('a given side is exact and a box is kept to, whatever the sizes', () => {
  for (let width = 1; width < 90; width += 4) {
    for (let side = Math.ceil(width / 9); side < 16 * width; side += 7) {
      const image = { width, height: 31 };
      expect(wishedSize(image, { width: side }).width).toBe(side);
      const box = { width: side, height: 400 };
      const size = wishedSize(image, { fit: box });
      expect(size.width <= box.width && size.height <= box.height).toBe(true);
      expect(size.width === box.width || size.height === box.height).toBe(true);
    }
  }
});

it.each<SizeWish>([
  { width: 5000 },
  { fit: { width: 1601, height: 1700 } },
  // `wishedSize` must reject NaN even if its caller has not checked the options.
  { scale: Number.NaN },
  { fit: { width: 4, height: Number.NaN } },
])('refuses %j', (wish) => {
  const attempt = () => wishedSize({ width: 100, height: 100 }, wish);
  expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
});

it('takes one size, or none', () => {
  for (const wish of [{}, { scale: 2 }, { height: 9 }, { width: undefined, scale: 2 }]) {
    expect(() => checkOneSize(wish)).not.toThrow();
  }
  for (const wish of [
    { scale: 2, width: 100 },
    { width: 10, fit: { width: 10, height: 10 } },
  ]) {
    const invalid = expect.objectContaining({ code: 'INVALID_INPUT' });
    expect(() => checkOneSize(wish)).toThrow(invalid);
  }
});
