import { describe, expect, it } from 'vitest';
import { randomStream } from '../../test/random.ts';
import { seededWeights } from '../../test/seeded.ts';
import { cuganCheckpoint } from '../cli/golden-cugan.ts';
import { interpret } from '../engine/oracle/interpreter.ts';
import { multiplyAddsPerPixel, paddingOf } from '../graph/analysis.ts';
import { tileOverlap } from '../graph/reach.ts';
import { convReference } from '../kernels/conv/conv.reference.ts';
import {
  pixelShuffleReference,
  pixelUnshuffleReference,
} from '../kernels/maps/rearrange.reference.ts';
import { type PlanarMap, planarMap } from '../kernels/planar.ts';
import { fromFloat32, toFloat32 } from '../weights/convert.ts';
import type { Tensor, TensorMap } from '../weights/tensor.ts';
import { detect } from './detect.ts';
import { arrangeCugan } from './parts/arrangeCugan.ts';
import { realcugan } from './realcugan.ts';

const unsupported = (message: RegExp) =>
  expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringMatching(message) });

const random = randomStream(3);
const tensor = (...shape: number[]): Tensor =>
  fromFloat32(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * random() - 1),
    shape,
    'f32',
  );

/** Returns random weights with the names and shapes that the authors' checkpoints contain. */
const file = (scale: number, features = 8): Map<string, Tensor> =>
  new Map(
    cuganCheckpoint(realcugan({ scale, features })).map(({ name, shape }) => [
      name,
      tensor(...shape),
    ]),
  );

describe('Real-CUGAN', () => {
  // The numbers of parameters and multiply-adds come from the authors' published code. In that
  // code, convolutions do not pad, so the maps are smaller than Crispen's. Therefore, the
  // multiply-adds match only within 10%.
  it.each([
    [2, 1_284_598, 835_063, 19],
    [3, 1_286_326, 1_683_034, 14],
    [4, 1_406_812, 1_175_245, 20],
  ])('x%i has the published size', (scale, parameters, multiplyAdds, border) => {
    const network = realcugan({ scale });
    const stored = cuganCheckpoint(network).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
    expect(stored.reduce((a, b) => a + b, 0)).toBe(parameters);
    const ratio = multiplyAddsPerPixel(network.graph) / multiplyAdds;
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(1.1);
    expect(paddingOf(network.graph).border).toBe(border);
    // The CPU backend cuts the image and its border into bands, and drops bands that contain only
    // border rows. The other bands must still read these rows. `overlap` is the number of extra
    // rows that a band reads on each side, so it must be at least as large as the border.
    const { overlap, approximate } = tileOverlap(network.graph);
    expect(overlap).toBeGreaterThanOrEqual(border);
    expect(approximate).toBe(false);
  });

  it.each([
    [2, false],
    [3, false],
    [4, true],
  ])('x%i is found in a file, pro: %s', (scale, pro) => {
    const tensors = file(scale);
    if (pro) tensors.set('pro', tensor(1));
    const found = detect(tensors, { name: 'renamed-x7.pth' });
    expect(found).toMatchObject({
      architecture: 'realcugan',
      scale,
      scaleSource: 'shapes',
      inputRange: 1,
      assumptions: [],
    });
    const expected = realcugan({ scale, pro, features: 8 });
    expect(found.network).toEqual(expected);
    for (const { name, shape } of expected.graph.weights) {
      expect(found.weights.get(name)?.shape, name).toEqual(shape);
    }
  });

  it('look-alikes are refused', () => {
    // waifu2x's CUNet has the same layer names as Real-CUGAN, but its first U-Net does not enlarge
    // the image.
    const cunet = file(2).set('unet1.conv_bottom.weight', tensor(3, 16, 3, 3));
    expect(() => detect(cunet)).toThrow(unsupported(/relative of Real-CUGAN/));
    const fast = file(4).set('unet1.conv1.conv.0.weight', tensor(8, 12, 3, 3));
    expect(() => detect(fast)).toThrow(unsupported(/fast x2 variant of Real-CUGAN/));
    const without = file(3);
    without.delete('unet1.conv2.seblock.conv1.weight');
    expect(() => detect(without)).toThrow(unsupported(/relative of Real-CUGAN/));
    const both = file(3).set('conv_final.weight', tensor(12, 16, 3, 3));
    expect(() => detect(both)).toThrow(unsupported(/relative of Real-CUGAN/));
    const grey = file(2).set('unet1.conv1.conv.0.weight', tensor(8, 1, 3, 3));
    expect(() => detect(grey)).toThrow(unsupported(/relative of Real-CUGAN/));
    expect(() => detect(file(2), { scale: 3 })).toThrow(unsupported(/enlarges by 2, not by 3/));
    expect(() => realcugan({ scale: 8 })).toThrow(unsupported(/no x8 upsampler/));
  });

  it('any size runs, also below the border; other ranges give the same picture', async () => {
    const network = realcugan({ scale: 3, features: 4, pro: true });
    const weights = seededWeights(network);
    const run = async (width: number, height: number, inputRange: number) => {
      const data = Float32Array.from(
        { length: 3 * width * height },
        (_, i) => ((i * 7) % 11) / 11,
      ).map((v) => v * inputRange);
      const own = realcugan({ scale: 3, features: 4, pro: true, inputRange });
      const found = (await interpret(own, weights, { width, height, data }, ['output'])).get(
        'output',
      );
      expect(found?.shape).toEqual([3, 3 * height, 3 * width]);
      return found?.data ?? new Float32Array();
    };
    for (const [width, height] of [
      [1, 1],
      [2, 5],
    ]) {
      const [one, large] = [await run(width, height, 1), await run(width, height, 255)];
      expect(one.every(Number.isFinite)).toBe(true);
      for (const [i, v] of one.entries()) expect(large[i] / 255).toBeCloseTo(v, 4);
    }
  });
});

/**
 * Computes a transposed convolution by its definition: for each input pixel,
 * the kernel is multiplied by the pixel's value and added to the output.
 */
function transposedReference(x: PlanarMap, weight: Tensor, stride: number, padding: number) {
  const [cIn, cOut, side] = weight.shape;
  const w = toFloat32(weight);
  const size = (n: number) => (n - 1) * stride + side - 2 * padding;
  const y = planarMap(cOut, size(x.height), size(x.width));
  for (let o = 0; o < cOut; o++) {
    for (let i = 0; i < cIn; i++) {
      for (let row = 0; row < x.height; row++) {
        for (let column = 0; column < x.width; column++) {
          for (let k = 0; k < side ** 2; k++) {
            const Y = row * stride + Math.floor(k / side) - padding;
            const X = column * stride + (k % side) - padding;
            if (Math.min(X, Y) < 0 || X >= y.width || Y >= y.height) continue;
            y.data[(o * y.height + Y) * y.width + X] +=
              w[(i * cOut + o) * side ** 2 + k] * x.data[(i * x.height + row) * x.width + column];
          }
        }
      }
    }
  }
  return y;
}

function mapOf(channels: number, height: number, width: number): PlanarMap {
  const data = Float32Array.from({ length: channels * height * width }, () => 2 * random() - 1);
  return { channels, height, width, data };
}

const arranged = (name: string, weight: Tensor, bias: Tensor): TensorMap =>
  arrangeCugan(
    new Map([
      [`${name}.weight`, weight],
      [`${name}.bias`, bias],
    ]),
  );

describe('layers of Real-CUGAN as convolutions of stride 1', () => {
  it.each([
    ['unet1.conv2_up', 2, 2, 0, 0],
    ['unet1.conv_bottom', 4, 2, 3, 2],
    ['unet1.conv_bottom', 5, 3, 2, 1],
  ])('%s of side %i, stride %i', (name, side, stride, padding, first) => {
    const x = mapOf(5, 7, 9);
    const weight = tensor(5, 3, side, side);
    const expected = transposedReference(x, weight, stride, padding);
    const result = arranged(name, weight, tensor(3));
    const own = result.get(`${name}.weight`) as Tensor;
    const bias = toFloat32(result.get(`${name}.bias`) as Tensor);
    expect(bias.length).toBe(3 * stride ** 2);
    expect(bias[stride ** 2 - 1]).toBe(bias[0]);
    const kernel = own.shape[2] as 1 | 3;
    const wide = convReference(x, toFloat32(own), null, 3 * stride ** 2, kernel);
    const y = pixelShuffleReference(wide, stride);
    // Crispen's map extends beyond the transposed convolution's result on all sides.
    expect((y.width - expected.width) / 2).toBe(first);
    for (let c = 0; c < 3; c++) {
      for (let row = 0; row < expected.height; row++) {
        for (let column = 0; column < expected.width; column++) {
          const at = (c * y.height + row + first) * y.width + column + first;
          const want = expected.data[(c * expected.height + row) * expected.width + column];
          expect(y.data[at]).toBeCloseTo(want, 5);
        }
      }
    }
  });

  it('2x2 of stride 2', () => {
    const x = mapOf(3, 8, 6);
    const weight = tensor(4, 3, 2, 2);
    const own = arranged('unet1.conv1_down', weight, tensor(4)).get('unet1.conv1_down.weight');
    const cells = pixelUnshuffleReference(x, 2);
    const y = convReference(cells, toFloat32(own as Tensor), null, 4, 1);
    const w = toFloat32(weight);
    for (let o = 0; o < 4; o++) {
      let sum = 0;
      for (let c = 0; c < 3; c++) {
        for (const k of [0, 1, 2, 3])
          sum += w[(o * 3 + c) * 4 + k] * x.data[(c * 8 + 2 + (k >> 1)) * 6 + 4 + (k & 1)];
      }
      expect(y.data[(o * 4 + 1) * 3 + 2]).toBeCloseTo(sum, 5);
    }
  });
});
