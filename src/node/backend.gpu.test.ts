import { expect, it } from 'vitest';
import { picture } from '../../test/pictures.ts';
import { seededWeights } from '../../test/seeded.ts';
import { pan } from '../networks/pan.ts';
import { openBackend } from './backend.ts';

it.each(['gpu', 'cpu'] as const)(
  'options of a call override the tiling of a %s',
  async (device) => {
    const network = pan({ scale: 2, features: 4, blocks: 1 });
    const backend = await openBackend(device, { tileSize: 32 });
    try {
      const upscale = await backend.load(network, seededWeights(network));
      const image = picture(50, 20);
      const tilesOf = async (...options: Parameters<typeof upscale>[1][]) =>
        (await upscale(image, ...options)).report.tiles;
      expect(await tilesOf()).toBeGreaterThan(1);
      // An explicit `undefined` overrides the tile size that was passed to `openBackend`. The image
      // is then processed in one piece, as `npm run quality -- --seams` requires.
      expect(await tilesOf({ tileSize: undefined })).toBe(1);
      expect(await tilesOf({ tileSize: 64 })).toBe(1);
    } finally {
      await backend.close();
    }
  },
);
