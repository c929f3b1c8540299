import { expect, it } from 'vitest';
import { expectClose, randomMap, runKernel, written } from '../../../test/kernels.ts';
import { mapGrid } from '../kernel.ts';
import { fromBlocked, toBlocked } from '../planar.ts';
import { blendKernel } from './blend.ts';

it.each([
  [1, 1],
  [7, 5],
  [8, 8],
  [9, 17],
])('adds up %i x %i pixels, over what is done and beside it', async (width, height) => {
  const [mapWidth, bandWidth, bandRows] = [width + 3, width + 2, height + 1];
  const x = randomMap(3, height, mapWidth, 1);
  const before = randomMap(3, bandRows, bandWidth, 2);
  const band = toBlocked(before);
  for (let i = 0; i < bandRows * bandWidth; i++) band[4 * i + 3] = 2;
  // The band contains the sums of earlier tiles. This tile starts in the band's last row, so its
  // other rows wrap around to the band's first rows.
  const [col0, row0, fresh] = [2, bandRows - 1, { col: 2, row: 3 }];
  const core = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  const [sums, mean] = await runKernel(blendKernel(), {
    grid: mapGrid(width, height, 1),
    params: {
      width,
      height,
      map_width: mapWidth,
      band_width: bandWidth,
      band_rows: bandRows,
      col0,
      row0,
      fresh_col: fresh.col,
      fresh_row: fresh.row,
      core_width: core.width,
      core_height: core.height,
    },
    reads: [toBlocked(x)],
    writes: [band.slice(), 4 * core.width * core.height],
  });
  const after = new Float32Array(sums.buffer);
  const means = fromBlocked(written(mean), 3, core.height, core.width);
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const over = row < fresh.row || col < fresh.col;
      const at = ((row0 + row) % bandRows) * bandWidth + col0 + col;
      expect(after[4 * at + 3]).toBe(over ? 3 : 1);
      for (let c = 0; c < 3; c++) {
        const sum = x.data[(c * height + row) * mapWidth + col] + (over ? band[4 * at + c] : 0);
        expectClose([after[4 * at + c]], [sum]);
        if (row >= core.height || col >= core.width) continue;
        const got = means.data[(c * core.height + row) * core.width + col];
        expectClose([got], [sum / (over ? 3 : 1)]);
      }
    }
  }
  // The band's first column is to the left of the tile, so it stays unchanged.
  for (let row = 0; row < bandRows; row++)
    expect(after[4 * row * bandWidth]).toBe(band[4 * row * bandWidth]);
});
