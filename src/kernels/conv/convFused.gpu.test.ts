import { describe, expect, it } from 'vitest';
import {
  ELEMENT,
  expectClose,
  randomMap,
  randomValues,
  runKernel,
  testsQuads,
  written,
} from '../../../test/kernels.ts';
import { blocksOf, tileColumnGrid } from '../kernel.ts';
import { bilinearReference, nearestReference } from '../maps/enlarge.reference.ts';
import { activationReference, addReference, mulReference } from '../maps/pointwise.reference.ts';
import { packRgba8Reference } from '../pixels/rgba8.reference.ts';
import { fromBlocked, type PlanarMap, planarMap, toBlocked } from '../planar.ts';
import { convReference } from './conv.reference.ts';
import {
  type ConvSpec,
  type ConvVariant,
  packBias,
  packConvWeights,
  plainShape,
  shapeGrid,
} from './conv.ts';
import {
  type ConvGateSpec,
  convGateKernel,
  convPackKernel,
  packConvGate,
  packGateBias,
} from './convFused.ts';
import { quadConv } from './convQuad.ts';
import { stripConv } from './convStrips.ts';

const LAST: ConvSpec = {
  kernel: 3,
  cIn: 6,
  cOut: 3,
  upsample: 1,
  act0: null,
  multiply: false,
  add: false,
  factor: 1,
  act1: null,
};
const QUADS: [string, ConvVariant] = ['quads', quadConv(3)];
const hasQuads = await testsQuads();

describe('3x3 convolution with pixel attention', () => {
  it.each([
    [1, 1, 2, 8, 8],
    [5, 7, 2, 8, 6],
    [4, 4, 2, 40, 24], // Exactly one workgroup, with A2N's numbers of channels.
    [9, 3, 3, 5, 7],
    [13, 9, 1, 8, 4],
  ])('of %i x %i through nearest x%i, %i -> %i channels', async (w, h, upsample, cIn, cOut) => {
    const spec: ConvGateSpec = {
      cIn,
      cOut,
      upsample,
      act1: { fn: 'leakyRelu', slope: 0.2 },
      tileColumns: h > 5 ? 16 : 8,
    };
    const x = randomMap(cIn, h, w, 1);
    const [w3, b3] = [randomValues(cOut * cIn * 9, 2), randomValues(cOut, 3)];
    const [w1, b1] = [randomValues(cOut * cOut, 4), randomValues(cOut, 5)];
    const [W, H] = [w * upsample, h * upsample];
    const [y] = await runKernel(convGateKernel(spec), {
      grid: tileColumnGrid(spec.tileColumns, W, H),
      params: [W, H],
      reads: [toBlocked(x), packConvGate(spec, w3, w1), packGateBias(spec, b3, b1)],
      writes: [blocksOf(cOut) * 4 * W * H],
      rowsPerDispatch: 1,
    });
    const u = convReference(nearestReference(x, upsample), w3, b3, cOut, 3);
    const gate = activationReference(convReference(u, w1, b1, cOut, 1), { fn: 'sigmoid' });
    const expected = activationReference(mulReference(u, gate), { fn: 'leakyRelu', slope: 0.2 });
    const blocked = written(y);
    expectClose(fromBlocked(blocked, cOut, H, W).data, expected.data, { abs: 5e-5 });
  });
});

describe('3x3 convolution with bilinear skip to 8 bits', () => {
  const channel = (map: PlanarMap, from: number, count: number): PlanarMap => {
    const plane = map.width * map.height;
    return {
      ...planarMap(count, map.height, map.width),
      data: map.data.slice(from * plane, (from + count) * plane),
    };
  };

  const sizes = [
    [1, 1, 2, 255],
    [7, 5, 2, 1],
    [16, 4, 2, 255], // As wide as a workgroup's tile, but not as high.
    [16, 16, 2, 255], // Exactly one workgroup of strips.
    [5, 9, 3, 255],
    [3, 3, 4, 1],
  ] as const;
  const strips = { pixels: 8, blocks: 2 } as const;
  const variants: readonly [name: string, variant?: ConvVariant][] = [
    ['plain'],
    ['strips', stripConv(strips)],
    ['uniform', stripConv({ ...strips, weights: 'uniform' })],
    ['shared', stripConv({ ...strips, weights: 'workgroup' })],
    ['halo', stripConv({ ...strips, weights: 'workgroup', halo: true })],
    ...(hasQuads ? [QUADS] : []),
  ];
  const cases = variants.flatMap(([name, variant]) =>
    sizes.map(([w, h, scale, range]) => ({ name, variant, w, h, scale, range })),
  );
  it.each(cases)(
    '$name, from $w x $h by $scale, range $range, whole and a rectangle',
    async (one) => {
      const { variant, w, h, scale, range } = one;
      const shape = variant?.shape?.(LAST) ?? plainShape(3);
      const [W, H] = [w * scale, h * scale];
      const data = new Uint8ClampedArray(randomValues(4 * w * h, 1).map((v) => 128 + 140 * v));
      const lr = planarMap(4, h, w);
      lr.data.forEach((_, i) => {
        lr.data[i] = (data[(i % (w * h)) * 4 + Math.floor(i / (w * h))] * range) / 255;
      });
      const x = randomMap(6, H, W, 2);
      const weights = randomValues(3 * 6 * 9, 3).map(
        (v) => (v * range) / 20,
      ) as Float32Array<ArrayBuffer>;
      const bias = randomValues(3, 4).map((v) => (v * range) / 20) as Float32Array<ArrayBuffer>;
      const rgb = addReference(
        convReference(x, weights, bias, 3, 3),
        bilinearReference(channel(lr, 0, 3), scale),
      );
      const image = { width: w, height: h, data };
      const whole = packRgba8Reference(rgb, image, { range, channels: 3, scale }).data;

      const crop = { x: Math.floor(W / 3), y: Math.floor(H / 2), w: W - Math.floor(W / 3), h: 1 };
      for (const part of [{ x: 0, y: 0, w: W, h: H }, crop]) {
        const packed = packConvWeights(weights, 3, 6, 3);
        const own = variant?.packing?.arrange(packed, LAST) ?? packed;
        const [pixels, status] = await runKernel(
          convPackKernel({ cIn: 6, scale, range }, 'f32', shape),
          {
            grid: shapeGrid(shape, 3, part.w, part.h),
            params: [part.w, part.h, 0, W, H, part.x, part.y],
            reads: [toBlocked(x), own, packBias(bias, 3), toBlocked(lr)],
            writes: [part.w * part.h, new Uint32Array(2)],
            rowsPerDispatch: 1,
          },
        );
        written(pixels);
        expect(status[0]).toBe(0);
        const bytes = new Uint8Array(pixels.buffer);
        let off = 0;
        for (let row = 0; row < part.h; row++) {
          for (let i = 0; i < part.w * 4; i++) {
            const expected = whole[((row + part.y) * W + part.x) * 4 + i];
            const difference = Math.abs(bytes[row * part.w * 4 + i] - expected);
            expect(difference).toBeLessThanOrEqual(1);
            // Alpha is interpolated between integers, so its values are often exactly halfway
            // between two integers and can round either way. They are not counted.
            if (difference > 0 && i % 4 < 3) off++;
          }
        }
        // A value can round to a different integer only if it is almost halfway between two
        // integers. On the scale from 0 to 255, f16 numbers in the upper half are 1/8 apart. One in
        // eight of them is about halfway between two integers, so up to an eighth of the values can
        // differ.
        const share = ELEMENT === 'f16' ? 1 / 8 : 1 / 1000;
        expect(off).toBeLessThanOrEqual(1 + bytes.length * share);
      }
    },
  );

  it('reports NaN in the status word', async () => {
    const x = randomMap(4, 2, 2, 1);
    x.data[3] = Number.NaN;
    const [, status] = await runKernel(convPackKernel({ cIn: 4, scale: 2, range: 1 }), {
      grid: [1, 1, 1],
      params: [2, 2, 0, 2, 2, 0, 0],
      reads: [
        toBlocked(x),
        packConvWeights(randomValues(108, 2), 3, 4, 3),
        packBias(null, 3),
        toBlocked(randomMap(4, 1, 1, 3)),
      ],
      writes: [4, new Uint32Array(2)],
    });
    expect(status[0]).toBe(1);
  });
});
