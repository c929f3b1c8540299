import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { difference, picture } from '../../../test/pictures.ts';
import { seededWeights } from '../../../test/seeded.ts';
import { readGoldenCase, SEEDED_GOLDENS } from '../../cli/golden-cases.ts';
import { createNetwork } from '../../networks/registry.ts';
import { Engine, type Model } from '../engine.ts';

/** Determines when the test device reports that it is out of memory. */
interface Shortage {
  /** The device refuses feature maps of more than this many bytes. */
  largest: number;
  /** The number of submissions that succeed before one is refused. If negative, none is refused. */
  submission: number;
}

const shortage: Shortage = { largest: Number.POSITIVE_INFINITY, submission: -1 };

/**
 * Returns the test GPU, modified so that its devices report memory shortages through error scopes,
 * as real devices do.
 */
function scarceGpu(): GPU {
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = (await testGpu().requestAdapter(options)) as GPUAdapter;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => starve(await requestDevice(descriptor));
    return adapter;
  };
  return { requestAdapter } as GPU;
}

function starve(device: GPUDevice): GPUDevice {
  const scopes: { filter: GPUErrorFilter; refused: boolean }[] = [];
  const refuse = () => {
    const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
    if (scope) scope.refused = true;
  };
  const push = device.pushErrorScope.bind(device);
  const pop = device.popErrorScope.bind(device);
  const createBuffer = device.createBuffer.bind(device);
  const submit = device.queue.submit.bind(device.queue);
  device.pushErrorScope = (filter) => {
    scopes.push({ filter, refused: false });
    return push(filter);
  };
  device.popErrorScope = async () => {
    const scope = scopes.pop();
    const error = await pop();
    return scope?.refused ? ({ message: 'injected' } as GPUError) : error;
  };
  device.createBuffer = (descriptor) => {
    if (descriptor.label === 'feature map' && descriptor.size > shortage.largest) refuse();
    return createBuffer(descriptor);
  };
  device.queue.submit = (buffers) => {
    if (shortage.submission-- === 0) refuse();
    return submit(buffers);
  };
  return device;
}

let engine: Engine;
let model: Model;
beforeAll(async () => {
  const golden = await readGoldenCase(`${SEEDED_GOLDENS}/compact_x2_11x7.safetensors`);
  if ('missing' in golden) throw new Error(golden.missing);
  engine = await Engine.create({ gpu: scarceGpu() });
  model = await engine.loadModel(golden.network, golden.weights);
});
afterAll(() => engine.destroy());

const image = picture(150, 90, true);
const submitMs = () => 1000;

describe('a device that is short of memory', () => {
  it('gets the same pixels out of the smallest budget that is allowed', async () => {
    const whole = await engine.upscale(model, image, { submitMs });
    expect(whole.report.tiles).toBe(1);
    let memoryBudget = 300_000;
    for (;;) {
      const run = engine.upscale(model, image, { memoryBudget, submitMs });
      const result = await run.catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'OUT_OF_MEMORY' });
        return null;
      });
      if (result) {
        // The engine refused the previous budget, which was only 10,000 bytes lower. The tiles of
        // this run are therefore about as small as the engine allows.
        expect(memoryBudget).toBeGreaterThan(300_000);
        expect(result.report.tiles).toBeGreaterThan(10);
        expect(result.report.gpuBytes).toBeLessThanOrEqual(memoryBudget);
        expect(difference(result.image, whole.image).worst).toBe(0);
        return;
      }
      memoryBudget += 10_000;
    }
  });

  it('goes on with smaller tiles where buffers are refused', async () => {
    const whole = await engine.upscale(model, image, { submitMs });
    engine.trim();
    shortage.largest = 100_000;
    const result = await engine.upscale(model, image, { submitMs });
    shortage.largest = Number.POSITIVE_INFINITY;
    expect(result.report.tiles).toBeGreaterThan(1);
    expect(difference(result.image, whole.image).worst).toBe(0);
  });

  it('keeps what is done when memory runs out midway', async () => {
    const whole = await engine.upscale(model, image, { submitMs });
    const options = { tileSize: 45, submitMs };
    // There are 4 x 2 tiles with one submission each, and the seventh submission is refused.
    expect((await engine.upscale(model, image, options)).report.tiles).toBe(8);
    shortage.submission = 6;
    const delivered: number[] = [];
    const data = new Uint8ClampedArray(whole.image.data.length);
    const report = await engine.upscaleStrips(model, image, options, (strip) => {
      delivered.push(strip.y);
      data.set(strip.data, strip.y * strip.width * 4);
    });
    expect(shortage.submission).toBeLessThan(0);
    // When memory runs out, the first strip and two tiles of the second strip are already finished.
    // The engine does not compute them again. It cuts each of the other two tiles of the second
    // strip into six smaller tiles, with sides of at most 22 pixels.
    expect(delivered).toEqual([0, 90]);
    expect(report.tiles).toBe(6 + 2 * 6);
    expect(difference({ ...whole.image, data }, whole.image).worst).toBe(0);
  });

  const small = { scale: 2, features: 8, blocks: 1 } as const;
  it.each([
    ['the trunk', createNetwork('lcoan', { ...small, groups: 2, clusters: 4, window: 32 }), 6],
    ['a tile', createNetwork('compact', small), 7],
  ])('reports progress to the end if memory runs out in %s', async (_, network, tiles) => {
    const loaded = await engine.loadModel(network, seededWeights(network));
    const fractions: number[] = [];
    const { report } = await engine.upscale(loaded, picture(108, 72), {
      tileSize: 36,
      submitMs: () => 0.1,
      onProgress({ fraction }) {
        if (fraction >= 0.2 && (fractions.at(-1) ?? 0) < 0.2) shortage.submission = 0;
        fractions.push(fraction);
      },
    });
    await engine.unloadModel(loaded);
    expect(shortage.submission).toBeLessThan(0);
    expect(report.tiles).toBeGreaterThanOrEqual(tiles);
    // The last report says that the job is finished. The one before it is the last of the work.
    expect(fractions.at(-2)).toBeCloseTo(1, 3);
    expect(fractions.filter((fraction) => fraction > 0.9999).length).toBeLessThanOrEqual(2);
  });

  it('gives up at the floor, and works again', async () => {
    shortage.largest = 10;
    await expect(engine.upscale(model, image, { tileSize: 40 })).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
    });
    shortage.largest = Number.POSITIVE_INFINITY;
    expect((await engine.upscale(model, picture(9, 9))).report.tiles).toBe(1);
  });
});

describe('edges', () => {
  const square = picture(24, 20, true);

  /** Returns the image shifted cyclically by `dx` pixels to the left and `dy` pixels up. */
  const moved = ({ width, height, data }: typeof square, dx: number, dy: number) => {
    const out = new Uint8ClampedArray(data.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = (((y + dy) % height) * width + ((x + dx) % width)) * 4;
        out.set(data.subarray(from, from + 4), (y * width + x) * 4);
      }
    }
    return { width, height, data: out };
  };

  it.each([Number.POSITIVE_INFINITY, 9])(
    'wrap: moving the image around its borders moves the result, in tiles of %d',
    async (tileSize) => {
      const options = { edge: 'wrap', tileSize, submitMs } as const;
      const result = await engine.upscale(model, square, options);
      const other = await engine.upscale(model, moved(square, 7, 13), options);
      expect(difference(moved(result.image, 14, 26), other.image).worst).toBeLessThanOrEqual(1);
      // The default edge mode, `zero`, gives a different result.
      const zero = await engine.upscale(model, square, { submitMs });
      expect(difference(zero.image, result.image).worst).toBeGreaterThan(2);
    },
  );

  it('replicate: as if the image were larger, with its border repeated', async () => {
    const { width, height } = square;
    const margin = 12;
    const large = { width: width + 2 * margin, height: height + 2 * margin };
    const data = new Uint8ClampedArray(large.width * large.height * 4);
    const clamp = (i: number, size: number) => Math.min(Math.max(i, 0), size - 1);
    for (let y = 0; y < large.height; y++) {
      for (let x = 0; x < large.width; x++) {
        const from = (clamp(y - margin, height) * width + clamp(x - margin, width)) * 4;
        data.set(square.data.subarray(from, from + 4), (y * large.width + x) * 4);
      }
    }
    const expected = (await engine.upscale(model, { ...large, data }, { submitMs })).image;
    for (const tileSize of [Number.POSITIVE_INFINITY, 11]) {
      const options = { edge: 'replicate', tileSize, submitMs } as const;
      const { image: result } = await engine.upscale(model, square, options);
      let worst = 0;
      for (let y = 0; y < result.height; y++) {
        for (let i = 0; i < result.width * 4; i++) {
          const at = ((y + 2 * margin) * expected.width + 2 * margin) * 4 + i;
          const difference = result.data[y * result.width * 4 + i] - expected.data[at];
          worst = Math.max(worst, Math.abs(difference));
        }
      }
      expect(worst).toBeLessThanOrEqual(1);
    }
  });
});
