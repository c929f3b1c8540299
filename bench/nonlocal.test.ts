import { expect, it } from 'vitest';
import { lower } from '../src/engine/compile/lower.ts';
import { curvesSvg, fitLine } from './curve.ts';
import { type Kind, nonlocalMultiplyAdds, nonlocalNetwork } from './nonlocal.ts';
import { planCost } from './plan.ts';

const sizes = { groups: 10, features: 128, clusters: 128, window: 384, rounds: 4 };
const size = { width: 96, height: 96 };

/** The multiply-adds per pixel and group. */
const counts: [Kind, number][] = [
  ['shared', (475_136 + 9 * 163_840) / 10],
  ['own', 475_136],
  ['rounds', 163_840 + 4 * 311_296],
  ['dense', 163_840 + 256 * 96 * 96 + 128],
];

it.each(counts)(
  'counts the multiply-adds of the kind %s, by graph and by plan',
  async (kind, count) => {
    const { graph } = nonlocalNetwork(kind, sizes, 96 * 96);
    expect(nonlocalMultiplyAdds(graph) / 10).toBe(count);
    // The loop runs once with stored attention weights and once in slabs. In slabs, each group
    // recomputes the weights.
    for (const limit of [2 ** 40, 2 ** 20]) {
      const program = await lower(graph, { fuse: 'ops', attentionBytes: limit });
      const steps = program.steps.filter(({ name }) => !/^(head|tail)$/.test(name));
      const cost = planCost({ ...program, steps }, size, () => 0);
      const again = limit === 2 ** 40 || kind !== 'shared' ? 0 : (9 * 147_456) / 10;
      expect(cost.multiplyAddsPerPixel / 10).toBeCloseTo(count + again, 3);
    }
  },
);

it('fits lines', () => {
  const line = fitLine([
    [1, 5],
    [2, 7],
    [4, 11],
  ]);
  expect(line).toEqual({ slope: 2, intercept: 3, r2: 1 });
  expect(
    fitLine([
      [0, 0],
      [1, 1],
      [2, 0],
    ] as const).r2,
  ).toBeCloseTo(0);
});

it('draws every point within the picture', () => {
  const svg = curvesSvg('time', 'pixels', [
    {
      label: 'a',
      points: [
        [256, 1.5],
        [12_544, 93],
      ],
    },
    { label: 'b', points: [[2304, 40]] },
  ]);
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)];
  expect(circles).toHaveLength(3);
  for (const [, x, y] of circles) {
    expect(Number(x)).toBeGreaterThan(0);
    expect(Number(x)).toBeLessThan(720);
    expect(Number(y)).toBeGreaterThan(0);
    expect(Number(y)).toBeLessThan(400);
  }
  // Points for more pixels are further right, and points for longer times are further up.
  expect(Number(circles[1][1])).toBeGreaterThan(Number(circles[0][1]));
  expect(Number(circles[1][2])).toBeLessThan(Number(circles[0][2]));
});
