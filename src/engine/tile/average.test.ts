import { describe, expect, it } from 'vitest';
import { type PlanarMap, planarMap } from '../../kernels/planar.ts';
import { averagedTiles, checkEdge, coverageAlong, meanOfTiles, startsAlong } from './average.ts';

const TILES = { side: 64, overlap: 24 };

describe('averaged tiles', () => {
  // As in the procedure of ASID's authors, tiles start at 0, 40, 80, ... along each axis, and the
  // last tile ends at the image's edge.
  it.each([
    [64, [0]],
    [65, [0, 1]],
    [70, [0, 6]],
    [104, [0, 40]],
    [105, [0, 40, 41]],
    [200, [0, 40, 80, 120, 136]],
    [30, [0]],
    [1, [0]],
  ])('along %i pixels start at %j', (length, starts) => {
    expect(startsAlong(length, TILES)).toEqual({ length, tile: Math.min(64, length), starts });
  });

  it('cover every pixel', () => {
    for (let length = 1; length < 300; length++) {
      expect(Math.min(...coverageAlong(startsAlong(length, TILES)))).toBeGreaterThan(0);
    }
  });

  it('are the mean of what each tile gives', async () => {
    const image = planarMap(1, 5, 7);
    image.data.forEach((_, i) => {
      image.data[i] = i;
    });
    const small = { side: 4, overlap: 2 };
    const seen: PlanarMap[] = [];
    // The result for each tile is filled with the tile's number, counted from 1.
    const mean = await meanOfTiles(image, small, 1, async (tile) => {
      seen.push(tile);
      return { ...tile, data: tile.data.map(() => seen.length) };
    });
    const rects = averagedTiles(image, small);
    expect(rects).toHaveLength(6);
    expect(seen[1].data[0]).toBe(2);
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 7; x++) {
        const over = rects.flatMap((rect, i) =>
          x >= rect.x && y >= rect.y && x < rect.x + 4 && y < rect.y + 4 ? [i + 1] : [],
        );
        const expected = over.reduce((a, b) => a + b, 0) / over.length;
        expect(mean.data[y * 7 + x]).toBeCloseTo(expected, 6);
      }
    }
  });

  it('refuse edges that go on beyond the image', () => {
    expect(() => checkEdge('wrap')).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
    checkEdge('zero');
    checkEdge();
  });
});
