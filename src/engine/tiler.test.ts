import { describe, expect, it } from 'vitest';
import { cutTiles, largestCore, MIN_CORE } from './tiler.ts';

describe('cutTiles', () => {
  it.each([
    [1, 1, 16, 4],
    [100, 37, 16, 4],
    [33, 200, 32, 36],
    [64, 64, Number.POSITIVE_INFINITY, 36],
  ])(
    '%i x %i by %i: cores cover every pixel once, sources hold core and overlap',
    (w, h, core, overlap) => {
      const seen = new Uint8Array(w * h);
      for (const { core: c, source: s } of cutTiles(w, h, core, overlap)) {
        expect(Math.max(c.width, c.height)).toBeLessThanOrEqual(core);
        for (let y = c.y; y < c.y + c.height; y++) {
          for (let x = c.x; x < c.x + c.width; x++) seen[y * w + x]++;
        }
        expect(s.x).toBe(Math.max(0, c.x - overlap));
        expect(s.y).toBe(Math.max(0, c.y - overlap));
        expect(s.x + s.width).toBe(Math.min(w, c.x + c.width + overlap));
        expect(s.y + s.height).toBe(Math.min(h, c.y + c.height + overlap));
      }
      expect(seen.every((count) => count === 1)).toBe(true);
    },
  );
});

describe('largestCore', () => {
  it('takes the whole image when it fits', () => {
    expect(largestCore(50, 60, 4, () => true)).toBe(Number.POSITIVE_INFINITY);
  });

  it('finds the largest tile within an area', () => {
    const fits = (w: number, h: number) => w * h <= 10_000;
    expect(largestCore(500, 600, 10, fits)).toBe(80);
  });

  it('says so when nothing fits', () => {
    expect(() => largestCore(500, 600, 10, () => false)).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
    );
    expect(largestCore(500, 600, 0, (w, h) => w * h <= MIN_CORE ** 2)).toBe(MIN_CORE);
  });
});
