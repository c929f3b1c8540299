import { describe, expect, it } from 'vitest';
import { picture } from '../../../test/pictures.ts';
import { depthOf, type Rgba8Image, type RgbaImage } from '../../image/image.ts';
import { createNetwork } from '../../networks/registry.ts';
import { fromFloat32 } from '../../weights/convert.ts';
import type { TensorMap } from '../../weights/tensor.ts';
import { upscaleOnCpu } from '../oracle/interpreter.ts';
import { type EnlargePlan, enlarge, enlargeWhole, type Pass } from './enlarge.ts';

/**
 * Creates a pass that runs a small network with made-up weights. If `amplitude` is 0, all weights
 * are 0, and the network only enlarges its input bilinearly.
 */
function pass(scale: 2 | 3 | 4, amplitude = 0.15): Pass {
  const network = createNetwork('a2n', {
    scale,
    features: 8,
    upsamplerFeatures: 6,
    blocks: 1,
    reduction: 4,
    inputRange: 1,
  });
  const weights: TensorMap = new Map(
    network.graph.weights.map(({ name, shape }, i) => {
      const length = shape.reduce((a, b) => a * b, 1);
      const data = Float32Array.from({ length }, (_, k) => amplitude * Math.sin(k * 3.7 + i));
      return [name, fromFloat32(data, [...shape], 'f32')];
    }),
  );
  return {
    model: `tiny-x${scale}`,
    scale,
    run: async (image, options, sink) => {
      const { image: whole, report } = await upscaleOnCpu(network, weights, image, options);
      // Like a tiled run, this delivers the result in strips. Each strip has up to three rows.
      for (let y = 0; y < whole.height; y += 3) {
        const height = Math.min(3, whole.height - y);
        const data = whole.data.slice(y * whole.width * 4, (y + height) * whole.width * 4);
        await sink({ width: whole.width, height, data, y } as Parameters<typeof sink>[0]);
      }
      return report;
    },
  };
}

const plan = (
  image: RgbaImage,
  factor: number,
  passes: readonly Pass[],
  depth: 8 | 16 = 8,
): EnlargePlan => ({
  size: { width: Math.round(image.width * factor), height: Math.round(image.height * factor) },
  passes,
  depth,
  device: null,
});

function image(width: number, height: number, at: (x: number, y: number) => readonly number[]) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < width * height; i++) data.set(at(i % width, Math.floor(i / width)), i * 4);
  return { width, height, data };
}

const pixels = ({ data }: RgbaImage): number[][] =>
  Array.from({ length: data.length / 4 }, (_, i) => [...data.slice(i * 4, i * 4 + 4)]);

describe('a network that makes one colour of an image', () => {
  /** Creates a pass that returns a black image. */
  const black = (scale: number): Pass => ({
    model: 'black',
    scale,
    run: async (input, _, sink) => {
      const [width, height] = [input.width * scale, input.height * scale];
      const samples = input.data.constructor as new (length: number) => RgbaImage['data'];
      const data = new samples(width * height * 4);
      for (let i = 3; i < data.length; i += 4) data[i] = depthOf(input) === 16 ? 65535 : 255;
      await sink({ width, height, data, y: 0 } as Parameters<typeof sink>[0]);
      return { backend: 'cpu' } as Awaited<ReturnType<Pass['run']>>;
    },
  });

  it.each([
    [1, 8],
    [2, 8],
    [2, 16],
  ] as const)('is BLANK_RESULT at scale %i with %i bits', async (scale, depth) => {
    const source = picture(20, 7);
    await expect(
      enlargeWhole(source, plan(source, scale, [black(scale)], depth)),
    ).rejects.toMatchObject({ code: 'BLANK_RESULT' });
  });

  it('is BLANK_RESULT in any run of a chain', async () => {
    const source = picture(20, 7);
    const passes = [black(2), black(2)];
    await expect(enlargeWhole(source, plan(source, 4, passes))).rejects.toMatchObject({
      code: 'BLANK_RESULT',
    });
  });

  it.each([
    ['is of one colour', () => [200, 10, 90, 255]],
    ['is nearly black', (x: number, y: number) => [(x * y) % 17, (x + y) % 9, 3, 255]],
    [
      'has a single bright pixel',
      (x: number, y: number) => [x === 3 && y === 2 ? 255 : 0, 0, 0, 255],
    ],
  ] as const)('may do so where it %s', async (_, at) => {
    const source = image(20, 7, at);
    const { image: made } = await enlargeWhole(source, plan(source, 2, [black(2)]));
    expect(pixels(made).every(([r, g, b]) => r + g + b === 0)).toBe(true);
  });
});

describe('enlarge', () => {
  it('adds nothing to one pass at its own scale over an opaque colour image', async () => {
    const source = picture(9, 7);
    const { image: made, report } = await enlargeWhole(source, plan(source, 2, [pass(2)]));
    let alone: RgbaImage | null = null;
    const parts: number[] = [];
    await pass(2).run(source, {}, (strip) => {
      alone = strip;
      parts.push(...strip.data);
    });
    expect(alone).not.toBeNull();
    expect([...made.data]).toEqual(parts);
    expect(report).toMatchObject({ networkScale: 2, passes: ['tiny-x2'], backend: 'cpu' });
  });

  it.each([
    [1.5, [2], 2],
    [2.7, [3], 3],
    [0.5, [], 1],
    [8, [2, 4], 8],
  ] as const)('by %f in passes %j', async (factor, scales, networkScale) => {
    const source = picture(10, 6, true);
    const strips: RgbaImage[] = [];
    const starts: number[] = [];
    const fractions: number[] = [];
    const report = await enlarge(
      source,
      plan(
        source,
        factor,
        scales.map((scale) => pass(scale)),
      ),
      { onProgress: ({ fraction }) => fractions.push(fraction) },
      (strip) => {
        strips.push(strip);
        starts.push(strip.y);
      },
    );
    const [width, height] = [Math.round(10 * factor), Math.round(6 * factor)];
    expect(strips.every((strip) => strip.width === width)).toBe(true);
    expect(strips.reduce((sum, strip) => sum + strip.height, 0)).toBe(height);
    expect(starts).toEqual(
      strips.map((_, i) => strips.slice(0, i).reduce((a, s) => a + s.height, 0)),
    );
    expect(report).toMatchObject({ networkScale, passes: scales.map((scale) => `tiny-x${scale}`) });
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
  });

  it('opaque stays opaque; a mask is exact where it is all 0 or all 255', async () => {
    const source = picture(12, 5);
    const made = (await enlargeWhole(source, plan(source, 3, [pass(3)]))).image;
    expect(pixels(made).every(([, , , a]) => a === 255)).toBe(true);
    const mask = image(24, 8, (x, y) => [x * 9, y * 20, 90, x < 12 ? 255 : 0]);
    for (const factor of [2, 1.7]) {
      const { image: cut } = await enlargeWhole(mask, plan(mask, factor, [pass(2)]));
      const seen = new Set<number>();
      pixels(cut).forEach(([, , , a], i) => {
        const x = ((i % cut.width) + 0.5) / factor - 0.5;
        // A Lanczos filter changes alpha only within 3 source pixels of the mask's edge. At factor
        // 1.7, alpha is resized twice, so the test allows changes within 6 pixels of the edge.
        if (x < 12 - 6) expect(a).toBe(255);
        else if (x > 11 + 6) expect(a).toBe(0);
        else seen.add(a);
      });
      expect(seen.size).toBeGreaterThan(3);
    }
  });

  it('keeps the colour under alpha 3', async () => {
    for (const depth of [8, 16] as const) {
      const flat = image(9, 8, () => [200, 100, 50, 3]);
      // With zero weights, the network only enlarges the image bilinearly, which must preserve a
      // constant image.
      for (const factor of [2, 1.6]) {
        const task = plan(flat, factor, [pass(2, 0)], depth);
        const { data } = (await enlargeWhole(flat, task)).image;
        const unit = depth === 16 ? 257 : 1;
        [200, 100, 50, 3].forEach((value, c) => {
          const off = data.filter((_, i) => i % 4 === c).map((v) => Math.abs(v - value * unit));
          expect(Math.max(...off)).toBeLessThanOrEqual(unit);
        });
      }
    }
  });

  it('a white disc over transparent black has no dark fringe', async () => {
    const disc = image(20, 20, (x, y) =>
      Math.hypot(x - 9.5, y - 9.5) < 6 ? [255, 255, 255, 255] : [0, 0, 0, 0],
    );
    for (const factor of [2, 1.7, 0.6]) {
      const passes = factor > 1 ? [pass(2, 0)] : [];
      const made = pixels((await enlargeWhole(disc, plan(disc, factor, passes))).image);
      const edge = made.filter(([, , , a]) => a > 0 && a < 255);
      expect(edge.length).toBeGreaterThan(10);
      for (const [r, g, b] of edge) expect(Math.min(r, g, b)).toBeGreaterThanOrEqual(254);
    }
  });

  it('grey gives grey, whatever the network makes and whatever is hidden', async () => {
    const grey = image(11, 9, (x, y) =>
      x === 3 ? [255, 0, 0, 0] : [x * 20, x * 20, x * 20, y === 4 ? 100 : 255],
    );
    for (const [factor, passes] of [
      [2, [pass(2)]],
      [3.4, [pass(2), pass(2)]],
      [0.7, []],
    ] as const) {
      const made = (await enlargeWhole(grey, plan(grey, factor, passes))).image;
      for (const [r, g, b] of pixels(made)) expect([g, b]).toEqual([r, r]);
      expect(new Set(made.data).size).toBeGreaterThan(8);
    }
    const colour = picture(11, 9);
    const made = (await enlargeWhole(colour, plan(colour, 2, [pass(2)]))).image;
    expect(pixels(made).some(([r, g]) => r !== g)).toBe(true);
  });

  it('16 bits: more than 256 levels of a gradient, from 8 bits too', async () => {
    const data = Uint16Array.from({ length: 30 * 4 * 4 }, (_, i) =>
      i % 4 === 3 ? 65535 : 20000 + (Math.floor(i / 4) % 30) * 300 + (i % 4) * 50,
    );
    const wide = { width: 30, height: 4, data };
    const levels = (made: RgbaImage) => new Set(made.data.filter((_, i) => i % 4 === 0)).size;
    for (const factor of [4, 3.5]) {
      const made = (await enlargeWhole(wide, plan(wide, factor, [pass(4)], 16))).image;
      expect(made.data).toBeInstanceOf(Uint16Array);
      expect(levels(made)).toBeGreaterThan(256);
      const bytes = (await enlargeWhole(wide, plan(wide, factor, [pass(4)], 8))).image;
      expect(bytes.data).toBeInstanceOf(Uint8ClampedArray);
    }
    const narrow = picture(20, 8);
    const made = (await enlargeWhole(narrow, plan(narrow, 2, [pass(2)], 16))).image;
    expect(levels(made)).toBeGreaterThan(256);
    const plain = (await enlargeWhole(narrow, plan(narrow, 2, [pass(2)]))).image;
    made.data.forEach((v, i) => {
      expect(Math.abs(v / 257 - plain.data[i])).toBeLessThan(0.51);
    });
  });

  it('stops when asked, with the sink and with the passes', async () => {
    const source: Rgba8Image = picture(12, 12);
    const task = plan(source, 3, [pass(2), pass(2)]);
    const abort = new AbortController();
    const running = enlarge(source, task, { signal: abort.signal }, () => abort.abort());
    await expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    const failing = enlarge(source, task, {}, () => {
      throw new Error('full');
    });
    await expect(failing).rejects.toThrow('full');
  });
});
