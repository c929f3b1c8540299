import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { randomStream } from '../../../test/random.ts';
import { findGoldenCases, readGoldenCases } from '../../cli/golden-cases.ts';
import { recipe2 } from '../../cli/golden-hash.ts';
import { CpuModel } from '../../cpu/model.ts';
import { upscale } from '../../cpu/upscale.ts';
import { asid } from '../../networks/asid.ts';
import { toFloat32 } from '../../weights/convert.ts';
import { Engine } from '../engine.ts';
import { upscaleOnCpu } from '../oracle/interpreter.ts';
import type { Strip } from '../types.ts';

let engine: Engine;
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
});
afterAll(() => engine.destroy());

/** The network is as small as possible, because the reference kernels are slow. */
const network = asid({ scale: 2, features: 8, blocks: 1 });
const weights = recipe2(network.graph.weights, 7, [['up.0', 0.5]]);

function picture(width: number, height: number) {
  const next = randomStream(width * 100 + height);
  const data = new Uint8ClampedArray(width * height * 4).map(() => next() * 255);
  return { width, height, data };
}

const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
};

describe('a network in averaged tiles', () => {
  // The first image is exactly as large as a tile. The second is smaller, so the network pads it.
  // The third is one pixel wider than a tile. In the fourth, tiles overlap along both axes.
  it.each([
    [64, 64, 1],
    [9, 13, 1],
    [65, 20, 2],
    [70, 108, 6],
  ])('%i x %i on GPU, CPU and by plain loops', async (width, height, tiles) => {
    const image = picture(width, height);
    const expected = await upscaleOnCpu(network, weights, image);
    expect(expected.report.tiles).toBe(tiles);
    const model = await engine.loadModel(network, weights);
    const { image: result, report } = await engine.upscale(model, image);
    expect(report).toMatchObject({ tiles, approximate: false, statistics: 'exact' });
    expect([result.width, result.height]).toEqual([2 * width, 2 * height]);
    expect(apart(result.data, expected.image.data)).toBeLessThanOrEqual(1);
    await engine.unloadModel(model);

    const cpu = await upscale(await CpuModel.load(network, weights), image);
    expect(cpu.report.tiles).toBe(tiles);
    expect(apart(cpu.image.data, expected.image.data)).toBeLessThanOrEqual(1);
  });

  it('hands over rows as they get done', async () => {
    const model = await engine.loadModel(network, weights);
    const strips: Strip[] = [];
    await engine.upscaleStrips(model, picture(20, 108), {}, (strip) => {
      strips.push(strip);
    });
    expect(strips.map(({ y, height }) => [y, height])).toEqual([
      [0, 80],
      [80, 8],
      [88, 128],
    ]);
    await engine.unloadModel(model);
  });

  it('goes on behind the rows that are done, with the same pixels', async () => {
    const model = await engine.loadModel(network, weights);
    const image = picture(20, 108);
    const { image: whole } = await engine.upscale(model, image);
    const strips: Strip[] = [];
    await engine.upscaleStrips(model, image, { checkpoint: { rows: 80 } }, (strip) => {
      strips.push(strip);
    });
    expect(strips.map(({ y }) => y)).toEqual([80, 88]);
    for (const { y, data } of strips) {
      const expected = whole.data.subarray(y * 160, y * 160 + data.length);
      expect(apart(data, expected)).toBe(0);
    }
    await engine.unloadModel(model);
  });

  const [tiled] = findGoldenCases('asid_x2_tiled_70x66');
  it.skipIf(!tiled)('gives what the authors’ tiles gave, within a level of 8 bits', async () => {
    const read = await readGoldenCases(tiled);
    if ('missing' in read) throw new Error('no ASID');
    const { weights, input, expected } = read[0];
    // The network of this test case expects values in -1..1.
    const network = asid({ scale: 2, features: 16 });
    const [, , height, width] = input.shape;
    // The 16-bit image contains the values of the test case, mapped from -1..1 to 0..65535.
    const values = toFloat32(input);
    const data = new Uint16Array(width * height * 4).fill(65535);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) {
        data[4 * i + c] = Math.round(((values[c * width * height + i] + 1) / 2) * 65535);
      }
    }
    const model = await engine.loadModel(network, weights, { wide: true });
    const result = new Uint16Array(width * height * 16);
    await engine.upscaleStrips(model, { width, height, data }, {}, (strip) => {
      result.set(strip.data as Uint16Array, strip.y * width * 2 * 4);
    });
    const golden = toFloat32(expected.get('output')!);
    const plane = width * height * 4;
    let most = 0;
    for (let i = 0; i < 3 * plane; i++) {
      const wanted = Math.min(Math.max((golden[i] + 1) / 2, 0), 1);
      const got = result[(i % plane) * 4 + Math.floor(i / plane)] / 65535;
      most = Math.max(most, Math.abs(got - wanted));
    }
    expect(most).toBeLessThan(0.1 / 255);
    await engine.unloadModel(model);
  });

  it('refuses an edge beyond the image', async () => {
    const model = await engine.loadModel(network, weights);
    await expect(engine.upscale(model, picture(9, 9), { edge: 'wrap' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await engine.unloadModel(model);
  });
});
