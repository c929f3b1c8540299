import { describe, expect, it } from 'vitest';
import type { Rect } from '../../src/geometry.ts';
import { drawn, GRIPS, moved, resized, rounded, shaped } from './rect.ts';

const size = { width: 400, height: 300 };
const rect = { x: 100, y: 100, width: 200, height: 100 };
const isWithin = ({ x, y, width, height }: Rect) =>
  x >= -1e-9 && y >= -1e-9 && x + width <= 400 + 1e-9 && y + height <= 300 + 1e-9;

describe('a crop rectangle', () => {
  it('is moved within the picture', () => {
    expect(moved(rect, 10, -20, size)).toEqual({ ...rect, x: 110, y: 80 });
    expect(moved(rect, 999, -999, size)).toEqual({ ...rect, x: 200, y: 0 });
  });

  it('follows a corner or an edge, while the opposite one stays', () => {
    expect(resized(rect, 'nw', [-10, 20], null, size)).toEqual({
      x: 90,
      y: 120,
      width: 210,
      height: 80,
    });
    expect(resized(rect, 'e', [30, 50], null, size)).toEqual({ ...rect, width: 230 });
    expect(resized(rect, 's', [30, 50], null, size)).toEqual({ ...rect, height: 150 });
    // The rectangle stays within the picture, and no side becomes shorter than 16 pixels.
    expect(resized(rect, 'se', [999, 999], null, size)).toEqual({
      ...rect,
      width: 300,
      height: 200,
    });
    expect(resized(rect, 'w', [999, 0], null, size)).toEqual({ ...rect, x: 284, width: 16 });
  });

  it.each([...GRIPS])('keeps its ratio and stays inside when %s is dragged', (grip) => {
    for (const ratio of [1, 4 / 3, 9 / 16, 400 / 300]) {
      const start = shaped(rect, ratio, size);
      for (const by of [
        [40, 25],
        [-40, -25],
        [999, 999],
        [-999, -999],
      ] as const) {
        const result = resized(start, grip, by, ratio, size);
        expect(result.width / result.height).toBeCloseTo(ratio, 9);
        expect(isWithin(result)).toBe(true);
        expect(Math.min(result.width, result.height)).toBeGreaterThanOrEqual(16 - 1e-9);
      }
    }
  });

  it('is drawn between two points in any direction', () => {
    const corner = { x: 300, y: 200 };
    const other = { x: 250, y: 120 };
    const between = { x: 250, y: 120, width: 50, height: 80 };
    expect(drawn(corner, other, null, size)).toEqual(between);
    expect(drawn(other, corner, null, size)).toEqual(between);
    expect(drawn(corner, other, 1, size)).toEqual({ x: 220, y: 120, width: 80, height: 80 });
    expect(isWithin(drawn({ x: 395, y: 295 }, { x: 900, y: 900 }, 1, size))).toBe(true);
  });

  it('takes another ratio around its middle', () => {
    const square = shaped(rect, 1, size);
    expect(square.width).toBeCloseTo(Math.sqrt(200 * 100), 9);
    expect(square.x + square.width / 2).toBeCloseTo(200, 9);
    const whole = shaped({ x: 0, y: 0, ...size }, 16 / 9, size);
    expect(whole.width).toBe(400);
    expect(isWithin(whole)).toBe(true);
  });

  it('ends on whole pixels of the picture', () => {
    expect(rounded({ x: 10.4, y: 10.6, width: 99.5, height: 3.2 }, size)).toEqual({
      x: 10,
      y: 11,
      width: 100,
      height: 3,
    });
    expect(rounded({ x: 399.9, y: 299.9, width: 0.1, height: 0.1 }, size)).toEqual({
      x: 399,
      y: 299,
      width: 1,
      height: 1,
    });
  });
});
