import { expect, it } from 'vitest';
import { convReference } from '../../kernels/conv/conv.reference.ts';
import { nearestReference } from '../../kernels/maps/enlarge.reference.ts';
import { LAYERS, makeLayer, relativeDifference } from './layers.ts';

it.each(LAYERS.map((spec) => [spec.kernel, spec.upsample, spec] as const))(
  'of a large %ix%i layer, the rows at both ends and in the middle are as in the whole',
  (kernel, upsample, spec) => {
    const { expected, x, weights, bias } = makeLayer(spec, { width: 3, height: 131 }, 'f32');
    const whole = convReference(nearestReference(x, upsample), weights, bias, spec.cOut, kernel);
    expect(expected?.map(({ first, rows }) => [first, rows.height])).toEqual([
      [0, 4 * upsample],
      [63 * upsample, 4 * upsample],
      [127 * upsample, 4 * upsample],
    ]);
    for (const { first, rows } of expected ?? []) {
      const { channels, height, width } = rows;
      expect(channels).toBe(spec.cOut);
      for (let channel = 0; channel < channels; channel++) {
        const start = (channel * whole.height + first) * width;
        const own = rows.data.subarray(channel * height * width, (channel + 1) * height * width);
        expect(own).toEqual(whole.data.subarray(start, start + height * width));
      }
    }
  },
);

it('of a small layer, all rows are checked', () => {
  const { expected } = makeLayer(LAYERS[0], { width: 2, height: 64 }, 'f32');
  expect(expected?.map(({ first, rows }) => [first, rows.height])).toEqual([[0, 64]]);
});

it('a difference relative to the largest value is NaN if any value is NaN', () => {
  expect(relativeDifference([1, 2, 3], [1, 2.5, -4])).toBe(7 / 4);
  for (let i = 0; i < 3; i++) {
    const actual = [1, 1, 1];
    actual[i] = Number.NaN;
    expect(relativeDifference(actual, [1, 1, 2])).toBeNaN();
  }
});
