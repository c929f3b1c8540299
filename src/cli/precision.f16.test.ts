import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestF16Adapter, testGpu } from '../../test/gpu.ts';
import { MODEL_FILES } from '../catalog/files.ts';
import { Engine } from '../engine/engine.ts';
import { readImage } from '../node/images.ts';
import { chooseModel } from '../node/model.ts';
import {
  F16_MAX,
  hardPicture,
  holds,
  measurePrecision,
  REQUIRED_SHARE,
} from './precision-measure.ts';

const adapter = await requestF16Adapter();

const figures = { values: 1, same: 1, worst: 0, within: 1, largest: 0, finite: true };

it('holds to the bound', () => {
  expect(holds({ ...figures, within: REQUIRED_SHARE, largest: F16_MAX })).toBe(true);
  expect(holds({ ...figures, within: 0.9989 })).toBe(false);
  expect(holds({ ...figures, largest: 65505 })).toBe(false);
  expect(holds({ ...figures, finite: false })).toBe(false);
});

describe.skipIf(!adapter)('shipped models in f16', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await Engine.create({ gpu: testGpu() });
  });
  afterAll(() => engine.destroy());

  it.each(MODEL_FILES)('$id keeps to the bound', async ({ id, f16 }) => {
    const model = await chooseModel({ model: id });
    const photo = await readImage('e2e/images/chelsea-24x20.png');
    // Models that use f16 by default must also be precise enough on images with maximum contrast.
    const hard = (['strokes', 'checkers'] as const).map((kind) => hardPicture(kind, 24));
    for (const image of f16 ? [photo, ...hard] : [photo]) {
      const found = await measurePrecision(engine, model, image);
      expect(found).toSatisfy(holds);
      expect(found.values).toBe(3 * image.width * image.height * model.network.scale ** 2);
      // Some values must differ from the f32 result. This shows that the run really used f16.
      expect(found.same).toBeLessThan(1);
      expect(found.largest).toBeGreaterThan(1);
    }
  });

  it('says what it computed in, and does so in tiles', async () => {
    const { network, weights } = await chooseModel({ model: 'a2n-photo-x2' });
    const image = hardPicture('strokes', 20);
    const results: Uint8ClampedArray[] = [];
    for (const precision of ['f16', 'f32'] as const) {
      const model = await engine.loadModel(network, weights, { precision });
      const { image: made, report } = await engine.upscale(model, image, { tileSize: 12 });
      expect(report).toMatchObject({ precision, tiles: 4 });
      results.push(made.data);
      await engine.unloadModel(model);
    }
    const off = results[0].filter((value, i) => Math.abs(value - results[1][i]) > 1).length;
    expect(off / results[0].length).toBeLessThanOrEqual(1 - REQUIRED_SHARE);
  });
});
