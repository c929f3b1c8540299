import { mkdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import { difference, picture } from '../../../test/pictures.ts';
import { randomStream } from '../../../test/random.ts';
import type { Rgba8Image } from '../../image/image.ts';
import { compareLuma } from '../../metrics/index.ts';
import { seamSteps } from '../../metrics/seams.ts';
import type { Network } from '../../networks/network.ts';
import { createNetwork } from '../../networks/registry.ts';
import { readImage, writeImage } from '../../node/images.ts';
import { fromFloat32, toFloat32 } from '../../weights/convert.ts';
import { readSafetensors } from '../../weights/safetensors.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import { lower } from '../compile/lower.ts';
import { bindWeights } from '../compile/weights.ts';
import { Engine, type Model } from '../engine.ts';
import { Device } from '../gpu/device.ts';
import { uploadModel } from '../gpu/model.ts';
import { Pace } from '../gpu/pace.ts';
import { planStatistics } from './statistics.ts';
import { imageResources, makeJob, wholeImage } from './strips.ts';
import { regionOf, tilerFor } from './tiler.ts';

const SCALES = [2, 3, 4] as const;
type Scale = (typeof SCALES)[number];

/**
 * Creates an A2N with two blocks. Its receptive field is small, so a tile needs little overlap, and
 * even a small image can be cut into several tiles.
 */
const tiny = (scale: Scale): Network =>
  createNetwork('a2n', {
    scale,
    features: 8,
    upsamplerFeatures: 6,
    blocks: 2,
    reduction: 4,
    inputRange: 1,
  });

/**
 * The seeded weights of the x4 network. The x2 and x3 networks use them too, except those of the
 * second upsampling stage, which only the x4 network has. In each block, the weights of the dynamic
 * attention module's last layer (`ADM.2`) are multiplied by 5, and those of the convolution that
 * reads the sum of the two branches (`conv_last`) by 3. This makes the image-wide statistics affect
 * the result as much as in trained networks. Otherwise, the factors that the module computes for
 * the two branches would stay near one half for every image.
 */
const weights: TensorMap = new Map(
  [...readSafetensors(read('test/golden/tiny_a2n_x4_8x8.safetensors')).tensors]
    .filter(([name]) => name.startsWith('weights.'))
    .map(([key, tensor]) => {
      const name = key.slice('weights.'.length);
      const factor = /ADM.2.weight$/.test(name) ? 5 : /AAB.*conv_last/.test(name) ? 3 : 1;
      const values = toFloat32(tensor).map((value) => value * factor);
      return [name, fromFloat32(values, tensor.shape, 'f32')];
    }),
);

function read(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(path));
}

let engine: Engine;
let device: Device;
const models = new Map<Scale, Model>();
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
  device = await Device.open(testGpu());
  for (const scale of SCALES) models.set(scale, await engine.loadModel(tiny(scale), weights));
});
afterAll(() => {
  engine.destroy();
  device.destroy();
});

/**
 * Each GPU submission may take 200 ms, because no page has to stay responsive during these tests.
 */
const submitMs = () => 200;

const modelOf = (scale: Scale) => models.get(scale) as Model;

/**
 * Creates an image that becomes brighter from left to right, so that the statistics of a tile
 * differ from those of the whole image.
 */
function uneven(width: number, height: number, alpha: boolean): Rgba8Image {
  const image = picture(width, height, alpha);
  for (let i = 0; i < image.data.length; i++) {
    const x = (i >> 2) % width;
    if (i % 4 !== 3) image.data[i] *= 0.1 + (0.9 * x) / width;
  }
  return image;
}

function crop(image: Rgba8Image, x: number, y: number, width: number, height: number): Rgba8Image {
  return regionOf(image, { x, y, width, height }, 'zero') as Rgba8Image;
}

describe('tiles with image-wide statistics', () => {
  it('equal the whole on 40 random images, x2, x3, x4, with and without alpha', async () => {
    const next = randomStream(40);
    const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
    let [values, off] = [0, 0];
    for (let i = 0; i < 40; i++) {
      const model = modelOf(SCALES[i % 3]);
      const image = uneven(between(31, 42), between(11, 24), i % 2 === 1);
      const tileSize = between(8, 14);
      const whole = await engine.upscale(model, image, { submitMs });
      const tiled = await engine.upscale(model, image, { tileSize, submitMs });
      expect(whole.report).toMatchObject({ tiles: 1, statistics: 'exact' });
      expect(tiled.report.statistics).toBe('exact');
      expect(tiled.report.tiles).toBeGreaterThan(1);
      const [w, h] = tiled.report.tileSize;
      expect(w * h).toBeLessThan(image.width * image.height);
      const { worst, share } = difference(tiled.image, whole.image);
      expect(worst).toBeLessThanOrEqual(1);
      values += tiled.image.data.length;
      off += share * tiled.image.data.length;
    }
    console.info(`tiled against whole: ${off} of ${values} values differ, by one level`);
    expect(off / values).toBeLessThanOrEqual(1e-4);
  });

  // A full-size A2N needs an overlap of 35 or 36 pixels. A tile with a core of 21 pixels and this
  // overlap on both sides is at most 93 pixels wide, so it is narrower than the image.
  it.each(SCALES)('equal the whole through the full network at x%i', async (scale) => {
    const { tensors } = readSafetensors(read(`public/models/a2n-x${scale}.safetensors`));
    const model = await engine.loadModel(createNetwork('a2n', { scale }), tensors);
    const image = uneven(104, 6, false);
    const whole = await engine.upscale(model, image, { submitMs });
    const tiled = await engine.upscale(model, image, { tileSize: 21, submitMs });
    expect(tiled.report).toMatchObject({ tiles: 5, statistics: 'exact' });
    expect(tiled.report.tileSize[0]).toBeLessThan(104);
    const { worst, share } = difference(tiled.image, whole.image);
    console.info(`full A2N x${scale}: ${share} of the values differ, by ${worst}`);
    expect(worst).toBeLessThanOrEqual(1);
    expect(share).toBeLessThanOrEqual(1e-4);
    await engine.unloadModel(model);
  });

  it.each(SCALES)('equal the whole in f32 at x%i', async (scale) => {
    const network = tiny(scale);
    const program = await lower(network.graph, { fuse: 'ops', image: { range: 1 } });
    const model = await uploadModel(device, network, program, bindWeights(network.graph, weights));
    const pace = new Pace(() => 100, true);
    const image = uneven(37, 15, true);
    const tiler = tilerFor(image, network, 'zero');
    const output = program.resourceOf.get(network.graph.output) as number;

    /**
     * Runs the network on each tile and joins the outputs, which are not yet converted to pixels.
     */
    const outputs = async (running: Model, strips: ReturnType<typeof tiler.plan>) => {
      const all = new Float32Array(3 * image.width * image.height * scale ** 2);
      const { source, status } = imageResources(program);
      for (const { core, source: rect } of strips.flatMap(({ tiles }) => tiles)) {
        const job = await makeJob(device, running, rect, false);
        const region = tiler.region(rect);
        job.arena.write(source, region.data);
        job.arena.write(status, new Uint32Array(1));
        for (const [id, data] of running === model ? [] : inputs) job.arena.write(id, data);
        const inner = { ...core, x: core.x - rect.x, y: core.y - rect.y };
        const view = { image: region, core: inner, source: { ...rect, x: 0, y: 0 } };
        const bytes = rect.width * rect.height * scale ** 2 * 16;
        const staging = device.buffer('output', bytes, 0x1 | 0x8);
        await job.arena.run(job.arena.sized(view), {
          pace,
          finish: (encoder) =>
            encoder.copyBufferToBuffer(job.arena.buffer(output), 0, staging, 0, bytes),
        });
        const content = await device.mapped(staging, bytes, (mapped) => mapped.slice(0));
        const map = new Float32Array(content);
        for (let y = 0; y < core.height * scale; y++) {
          for (let x = 0; x < core.width * scale; x++) {
            const from = ((inner.y * scale + y) * rect.width + inner.x) * scale + x;
            const to = ((core.y * scale + y) * image.width + core.x) * scale + x;
            all.set(map.subarray(from * 4, from * 4 + 3), to * 3);
          }
        }
      }
      return all;
    };

    const statistics = await planStatistics(device, model, image, 1e9).gather({
      pace,
      onWork: () => {},
    });
    const { inputs } = statistics;
    const strips = tiler.plan(13, () => true);
    expect(strips.flatMap(({ tiles }) => tiles).length).toBe(6);
    const whole = await outputs(model, [wholeImage(image, 1)]);
    const tiled = await outputs(statistics.model, strips);
    // In this run, each tile uses its own statistics. The result must be clearly wrong, which shows
    // that the test would detect this error.
    const perTile = await outputs(model, strips);
    const worst = (values: Float32Array) =>
      values.reduce(
        (most, v, i) => Math.max(most, Math.abs(v - whole[i]) / (Math.abs(whole[i]) + 0.1)),
        0,
      );
    console.info(`f32 x${scale}: ${worst(tiled)} relative; tiles by themselves ${worst(perTile)}`);
    expect(worst(tiled)).toBeLessThanOrEqual(1e-4);
    expect(worst(perTile)).toBeGreaterThan(1e-3);
  });

  it('are gathered within the memory budget, however large the image is', async () => {
    const image = picture(900, 700);
    const options = { memoryBudget: 4e6, submitMs };
    const { report } = await engine.upscale(modelOf(2), image, options);
    expect(report).toMatchObject({ statistics: 'estimated' });
    expect(report.gpuBytes).toBeLessThanOrEqual(options.memoryBudget);
  });

  // `npm run quality -- --seams` also measures seams with `seamSteps`, but for a data set and a
  // full-size network.
  it('leave no seam where they are estimated from parts of a photo', async () => {
    const image = await readImage('public/samples/coffee.jpg');
    const model = modelOf(2);
    const tiler = tilerFor(image, model.network, 'zero');
    const strips = tiler.plan(60, () => true);
    const borders = [
      ...strips[0].tiles.slice(1).map(({ core }) => ({ axis: 'x', at: core.x * 2 }) as const),
      ...strips.slice(1).map(({ y }) => ({ axis: 'y', at: y * 2 }) as const),
    ];
    const exact = (await engine.upscale(model, image, { submitMs })).image;
    const options = { tileSize: 60, statistics: 'estimated', submitMs } as const;
    const estimated = await engine.upscale(model, image, options);
    expect(estimated.report).toMatchObject({ tiles: 20, statistics: 'estimated' });
    // Upscale each tile separately, as in the tiled evaluation by the authors of A2N.
    const alone: Rgba8Image = { ...exact, data: exact.data.slice() };
    for (const { core, source } of strips.flatMap(({ tiles }) => tiles)) {
      const region = tiler.region(source) as Rgba8Image;
      const tile = (await engine.upscale(model, region, { submitMs })).image;
      for (let y = core.y * 2; y < (core.y + core.height) * 2; y++) {
        const from = ((y - source.y * 2) * tile.width + (core.x - source.x) * 2) * 4;
        const row = tile.data.subarray(from, from + core.width * 8);
        alone.data.set(row, (y * alone.width + core.x * 2) * 4);
      }
    }
    const whole = seamSteps(exact, borders, 2);
    const ratio = (result: Rgba8Image) => {
      const { border, interior } = seamSteps(result, borders, 2);
      return border / whole.border / (interior / whole.interior);
    };
    const [ours, theirs] = [ratio(estimated.image), ratio(alone)];
    const { psnr } = compareLuma(estimated.image, exact, 2);
    console.info(
      `steps across tile borders, in parts of those across interior lines of the photo: ${ours} estimated, ${theirs} tiles by themselves; estimated against exact ${psnr} dB`,
    );
    expect(Math.abs(ours - 1)).toBeLessThan(0.01);
    expect(Math.abs(theirs - 1)).toBeGreaterThan(0.01);
    expect(psnr).toBeGreaterThan(40);
  });

  it('leave no trace in a difference image, unlike tiles by themselves', async () => {
    const image = uneven(40, 40, false);
    const model = modelOf(2);
    const whole = (await engine.upscale(model, image)).image;
    const tiled = (await engine.upscale(model, image, { tileSize: 20 })).image;
    // The left part of `drawn` shows how the tiled result differs from the untiled one. For the
    // right part, each quarter of the image, with its overlap of 8 pixels, is upscaled as a
    // separate image.
    const drawn: Rgba8Image = { width: 168, height: 80, data: new Uint8ClampedArray(168 * 80 * 4) };
    drawn.data.fill(255);
    const draw = (left: number, x: number, y: number, a: number, b: number) => {
      const v = Math.min(255, Math.abs(a - b) * 40);
      drawn.data.set([v, v, v, 255], (y * 168 + left + x) * 4);
      return Math.abs(a - b);
    };
    let [ours, theirs] = [0, 0];
    for (const [qx, qy] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ]) {
      const [left, top] = [qx * 12, qy * 12];
      const alone = (await engine.upscale(model, crop(image, left, top, 28, 28))).image;
      for (let y = qy * 40; y < qy * 40 + 40; y++) {
        for (let x = qx * 40; x < qx * 40 + 40; x++) {
          const at = (y * 80 + x) * 4;
          const other = ((y - top * 2) * 56 + x - left * 2) * 4;
          ours = Math.max(ours, draw(0, x, y, tiled.data[at], whole.data[at]));
          theirs = Math.max(theirs, draw(88, x, y, alone.data[other], whole.data[at]));
        }
      }
    }
    mkdirSync('test-results', { recursive: true });
    await writeImage('test-results/tiles-difference.png', drawn);
    const back = await readImage('test-results/tiles-difference.png');
    const brightest = (from: number, to: number) =>
      back.data.reduce((most, v, i) => {
        const x = (i >> 2) % 168;
        return i % 4 !== 3 && x >= from && x < to ? Math.max(most, v) : most;
      }, 0);
    expect(brightest(0, 80)).toBeLessThanOrEqual(40);
    expect(brightest(88, 168)).toBe(Math.min(255, theirs * 40));
    expect(ours).toBeLessThanOrEqual(1);
    expect(theirs).toBeGreaterThan(2);
  });
});
