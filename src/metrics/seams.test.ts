import { expect, test } from 'vitest';
import type { Rgba8Image } from '../image/image.ts';
import { seamSteps, stepAcross } from './seams.ts';

/** Creates a grey image from a function of the position. */
function drawn(width: number, height: number, value: (x: number, y: number) => number) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const v = value(i % width, Math.floor(i / width));
    data.set([v, v, v, 255], i * 4);
  }
  return { width, height, data } satisfies Rgba8Image;
}

test('steps are those of the two columns or rows beside a line', () => {
  const image = drawn(6, 4, (x, y) => 10 * x + 3 * y * y);
  expect(stepAcross(image, { axis: 'x', at: 2 })).toBe(10);
  expect(stepAcross(image, { axis: 'y', at: 3 })).toBe(15);
  // If the image is repeated as a texture, its last column (or row) is next to its first. Line 0 is
  // between the two.
  expect(stepAcross(image, { axis: 'x', at: 0 })).toBe(50);
  expect(stepAcross(image, { axis: 'y', at: 0 })).toBe(27);
});

test('a border is compared with its neighbours between the same kind of pixels', () => {
  // Each LR pixel is two SR pixels wide. The value increases by 2 from one LR pixel to the next and
  // is constant within an LR pixel. At the seam (x = 40), the step is 1 larger.
  const image = drawn(80, 60, (x) => 2 * Math.floor(x / 2) + (x >= 40 ? 1 : 0));
  expect(seamSteps(image, [{ axis: 'x', at: 40 }], 2)).toEqual({ border: 3, interior: 2 });
  // The borders x = 40 and x = 44 are close together. The steps across them count only as border
  // steps, not as interior steps.
  const two = [40, 44].map((at) => ({ axis: 'x', at }) as const);
  expect(seamSteps(image, two, 2)).toEqual({ border: 2.5, interior: 2 });
  expect(seamSteps(image, [{ axis: 'x', at: 4 }], 2)).toEqual({ border: 2, interior: 2 });
});
