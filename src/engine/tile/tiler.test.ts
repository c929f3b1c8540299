import { describe, expect, it } from 'vitest';
import { picture } from '../../../test/pictures.ts';
import { pixelsOf, type Size } from '../../geometry.ts';
import { cutTiles, halveTiles, MIN_CORE, planStrips, regionOf, type StripPlan } from './tiler.ts';

const cutting = (overlap: number, edge: 'zero' | 'replicate' | 'wrap' = 'zero', multiple = 1) => ({
  overlap,
  edge,
  multiple,
});

/** Returns how many tiles cover each pixel. The overlap around a tile's core does not count. */
function coverage(strips: readonly StripPlan[], width: number, height: number): Uint8Array {
  const seen = new Uint8Array(width * height);
  for (const { y: top, height: rows, tiles } of strips) {
    for (const { core: c } of tiles) {
      expect(c.y).toBeGreaterThanOrEqual(top);
      expect(c.y + c.height).toBeLessThanOrEqual(top + rows);
      for (let y = c.y; y < c.y + c.height; y++) {
        for (let x = c.x; x < c.x + c.width; x++) seen[y * width + x]++;
      }
    }
  }
  return seen;
}

const once = (seen: Uint8Array) => seen.every((count) => count === 1);
const longestSide = (strips: readonly StripPlan[]) =>
  Math.max(
    ...strips.flatMap(({ tiles }) => tiles.flatMap(({ core }) => [core.width, core.height])),
  );

describe('cutTiles', () => {
  it.each([
    [1, 1, 16, 4],
    [100, 37, 16, 4],
    [33, 200, 32, 36],
    [64, 64, Number.POSITIVE_INFINITY, 36],
  ])(
    '%i x %i by %i: cores cover every pixel once, sources hold core and overlap',
    (width, height, core, overlap) => {
      const strips = cutTiles({ width, height }, { width: core, height: core }, cutting(overlap));
      expect(once(coverage(strips, width, height))).toBe(true);
      expect(longestSide(strips)).toBeLessThanOrEqual(core);
      for (const { core: c, source: s } of strips.flatMap(({ tiles }) => tiles)) {
        expect(s.x).toBe(Math.max(0, c.x - overlap));
        expect(s.y).toBe(Math.max(0, c.y - overlap));
        expect(s.x + s.width).toBe(Math.min(width, c.x + c.width + overlap));
        expect(s.y + s.height).toBe(Math.min(height, c.y + c.height + overlap));
      }
    },
  );

  it('lets sources begin on a grid, with no less overlap', () => {
    for (const edge of ['zero', 'wrap'] as const) {
      const grid = { ...cutting(3, edge, 2), grid: 2 };
      const strips = cutTiles({ width: 50, height: 70 }, { width: 14, height: 14 }, grid);
      for (const { core: c, source: s } of strips.flatMap(({ tiles }) => tiles)) {
        expect([Math.abs(s.x) % 4, Math.abs(s.y) % 4]).toEqual([0, 0]);
        expect(c.x - s.x).toBeGreaterThanOrEqual(Math.min(4, edge === 'zero' ? c.x : 4));
      }
    }
  });

  it('lets sources stick out of the image on all sides where it goes on', () => {
    const [{ tiles }] = cutTiles(
      { width: 9, height: 5 },
      { width: 9, height: 5 },
      cutting(4, 'wrap'),
    );
    expect(tiles).toEqual([
      {
        core: { x: 0, y: 0, width: 9, height: 5 },
        source: { x: -4, y: -4, width: 17, height: 13 },
      },
    ]);
  });

  it('cuts between cells', () => {
    const strips = cutTiles(
      { width: 23, height: 10 },
      { width: 9, height: 9 },
      cutting(5, 'zero', 4),
    );
    expect(once(coverage(strips, 23, 10))).toBe(true);
    for (const { core, source } of strips.flatMap(({ tiles }) => tiles)) {
      for (const at of [core.x, core.y, source.x, source.y, source.width, source.height]) {
        expect(at % 4).toBe(0);
      }
    }
  });
});

describe('planStrips', () => {
  const image = { width: 500, height: 600 };

  it('finds the largest tiles within an area', () => {
    const fits = (size: Size) => pixelsOf(size) <= 10_000;
    const strips = planStrips(image, 2, cutting(10), 1000, fits);
    // A tile of 100 x 100 pixels with an overlap of 10 has a core of 80 x 80 pixels, so 500 pixels
    // are cut into 7 parts and 600 into 8.
    expect([strips.length, strips[0].tiles.length, longestSide(strips)]).toEqual([8, 7, 75]);
    expect(longestSide(planStrips(image, 2, cutting(10), 30, fits))).toBe(30);
  });

  it('keeps strips of very wide images low', () => {
    const wide = { width: 20_000, height: 900 };
    const strips = planStrips(wide, 4, cutting(2), 1e9, ({ width }) => width < 5000);
    expect(strips.every(({ height }) => 20_000 * 16 * height * 4 <= 2 ** 27)).toBe(true);
    expect(strips[0].tiles.length).toBe(5);
  });

  it('says so when nothing fits', () => {
    expect(() => planStrips(image, 2, cutting(10), 1000, () => false)).toThrow(
      expect.objectContaining({ code: 'OUT_OF_MEMORY' }),
    );
    const least = planStrips(image, 2, cutting(0), 1000, (size) => pixelsOf(size) <= MIN_CORE ** 2);
    expect(longestSide(least)).toBe(MIN_CORE);
  });
});

describe('halveTiles', () => {
  it('halves what is left of a strip and what comes below, down to a floor', () => {
    const image = { width: 100, height: 90 };
    const [first, ...others] = cutTiles(image, { width: 50, height: 45 }, cutting(3));
    const left = [{ ...first, tiles: first.tiles.slice(1) }, ...others];
    const halved = halveTiles(image, left, cutting(3));
    expect(halved?.map(({ y, height }) => [y, height])).toEqual([
      [0, 45],
      [45, 45],
    ]);
    const seen = coverage(halved ?? [], 100, 90);
    // The tiles in `left` do not include the first tile, so no new tile covers its pixels. All other
    // pixels are covered once.
    expect(seen.every((count, i) => count === (i % 100 < 50 && i < 4500 ? 0 : 1))).toBe(true);
    expect(longestSide(halved ?? [])).toBeLessThanOrEqual(25);
    expect(halveTiles(image, halved ?? [], cutting(3))).toBeNull();
  });
});

describe('regionOf', () => {
  const image = picture(7, 5, true);
  const pixel = (x: number, y: number) => [
    ...image.data.slice((y * 7 + x) * 4, (y * 7 + x) * 4 + 4),
  ];
  const expected = (xs: number[], ys: number[]) =>
    ys.flatMap((y) => xs.flatMap((x) => pixel(x, y)));

  it('ends with the image where there is nothing beyond', () => {
    const inner = regionOf(image, { x: 2, y: 1, width: 3, height: 2 }, 'zero');
    expect([...inner.data]).toEqual(expected([2, 3, 4], [1, 2]));
    const beyond = regionOf(image, { x: 4, y: 0, width: 8, height: 8 }, 'zero');
    expect([beyond.width, beyond.height]).toEqual([3, 5]);
    const rows = regionOf(image, { x: 0, y: 3, width: 7, height: 2 }, 'zero');
    expect([...rows.data]).toEqual(expected([0, 1, 2, 3, 4, 5, 6], [3, 4]));
  });

  it('repeats the border, or goes on with the other side', () => {
    const rect = { x: -2, y: 3, width: 4, height: 4 };
    expect([...regionOf(image, rect, 'replicate').data]).toEqual(
      expected([0, 0, 0, 1], [3, 4, 4, 4]),
    );
    expect([...regionOf(image, rect, 'wrap').data]).toEqual(expected([5, 6, 0, 1], [3, 4, 0, 1]));
    const far = regionOf(image, { x: -15, y: 12, width: 2, height: 1 }, 'wrap');
    expect([...far.data]).toEqual(expected([6, 0], [2]));
  });
});
