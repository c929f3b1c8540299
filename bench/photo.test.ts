import { describe, expect, it } from 'vitest';
import { cropPhoto, toPlanar } from './photo.ts';

/** Creates an image in which red is x and green is y. */
function ruler(width: number, height: number) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++)
    data.set([i % width, Math.floor(i / width), 9, 128], i * 4);
  return { width, height, data };
}

describe('cropPhoto', () => {
  it('takes the middle, opaque', () => {
    const { data } = cropPhoto(ruler(10, 8), 4, 2);
    expect([...data.subarray(0, 4)]).toEqual([3, 3, 9, 255]);
    expect([...data.subarray(-4)]).toEqual([6, 4, 9, 255]);
  });

  it('mirrors a photo that is too small', () => {
    const { data } = cropPhoto(ruler(3, 2), 7, 5);
    const column = Array.from({ length: 7 }, (_, x) => data[x * 4]);
    const row = Array.from({ length: 5 }, (_, y) => data[y * 7 * 4 + 1]);
    expect(column).toEqual([0, 1, 2, 2, 1, 0, 0]);
    expect(row).toEqual([0, 1, 1, 0, 0]);
  });
});

describe('toPlanar', () => {
  it('gives the colours in planes, scaled to the range', () => {
    const image = {
      width: 2,
      height: 1,
      data: Uint8ClampedArray.of(255, 0, 51, 9, 0, 102, 255, 9),
    };
    expect([...toPlanar(image, 255)]).toEqual(
      [255, 0, 0, 102, 51, 255].map((v) => expect.closeTo(v, 4)),
    );
  });
});
