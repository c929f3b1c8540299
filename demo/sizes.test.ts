import { expect, it } from 'vitest';
import { factorOf, sizeNote, sizeOf, turned, wishName, wishOf, wishWords } from './sizes.ts';

const photo = { width: 1200, height: 800 };

it.each([
  [{ scale: 2 }, 2, { width: 2400, height: 1600 }, '@2x', '2×'],
  [{ scale: 1 }, 1, photo, '-clean', ''],
  [{ scale: 2.7 }, 2.7, { width: 3240, height: 2160 }, '@2.7x', '2.7×'],
  [{ width: 3000 }, 2.5, { width: 3000, height: 2000 }, '-3000w', '3000 wide'],
  [{ height: 2400 }, 3, { width: 3600, height: 2400 }, '-2400h', '2400 high'],
  [
    { fit: { width: 3840, height: 2160 } },
    2.7,
    { width: 3240, height: 2160 },
    '-3840x2160',
    '3840 × 2160',
  ],
])('%o', (wish, factor, size, name, words) => {
  expect(factorOf(wish, photo)).toBe(factor);
  expect(sizeOf(wish, photo)).toEqual(size);
  expect([wishName(wish), wishWords(wish)]).toEqual([name, words]);
});

it('knows no size without that of the picture, or beyond what can be made', () => {
  expect([factorOf({ width: 10 }, null), factorOf({ scale: 3 }, null)]).toEqual([null, 3]);
  expect(sizeOf({ scale: 3 }, null)).toBeNull();
  expect(sizeOf({ width: 999 }, { width: 10, height: 10 })).toBeNull();
});

it('says what comes of a size, and what cannot be', () => {
  const small = { width: 300, height: 200 };
  expect(sizeNote({ scale: 2 }, small)).toBe('');
  expect(sizeNote({ scale: 1.5 }, small)).toBe('Becomes 450 × 300.');
  expect(sizeNote({ scale: 8 }, small)).toBe(
    'Becomes 2400 × 1600. Beyond 4× no true detail is added.',
  );
  expect(sizeNote({ fit: { width: 150, height: 900 } }, small)).toBe(
    'Becomes 150 × 100. That is smaller than the picture: it is only resized.',
  );
  expect(sizeNote({ width: 6000 }, small)).toMatch(/enlarged 20\.0 times; 16 is the most/);
  expect(sizeNote({ width: 6000 }, null)).toBe('');
});

it('takes what somebody types', () => {
  expect(wishOf('scale', 2.7)).toEqual({ scale: 2.7 });
  expect(wishOf('width', 3000)).toEqual({ width: 3000 });
  expect(wishOf('height', 20)).toEqual({ height: 20 });
  for (const value of [0, -1, Number.NaN, 17]) expect(wishOf('scale', value)).toBeNull();
  for (const value of [0, 1.5, Number.NaN]) expect(wishOf('width', value)).toBeNull();
});

it('turns paper as the picture is', () => {
  const paper = { fit: { width: 3508, height: 2480 } };
  const upright = { fit: { width: 2480, height: 3508 } };
  expect(turned(paper, { width: 800, height: 1200 })).toEqual(upright);
  expect(turned(upright, { width: 1200, height: 800 })).toEqual(paper);
  expect(turned(paper, { width: 1200, height: 800 })).toEqual(paper);
  expect(turned(paper, { width: 900, height: 900 })).toEqual(paper);
  expect(turned(paper, null)).toEqual(paper);
  expect(turned({ scale: 2 }, { width: 800, height: 1200 })).toEqual({ scale: 2 });
});
