import { describe, expect, it } from 'vitest';
import { lower } from '../src/engine/lower.ts';
import { otherOps } from '../src/engine/lowerOthers.ts';
import { multiplyAddsPerPixel } from '../src/graph/analysis.ts';
import { createNetwork } from '../src/models/index.ts';
import { planCost } from './plan.ts';

const { graph } = createNetwork('a2n', { scale: 2 });
const size = { width: 256, height: 256 };

describe('planCost', () => {
  it('counts the multiply-adds of the graph, however it is fused', () => {
    for (const fuse of ['none', 'ops', 'blocks'] as const) {
      const cost = planCost(
        lower(graph, { fuse, image: { range: 255 }, others: otherOps }),
        size,
        () => 0,
      );
      expect(cost.multiplyAddsPerPixel).toBe(multiplyAddsPerPixel(graph));
    }
  });

  it('counts seven maps for each fused block, and more without fusion', () => {
    const bytes = (fuse: 'none' | 'ops' | 'blocks') =>
      planCost(lower(graph, { fuse, image: { range: 255 }, others: otherOps }), size, () => 0)
        .bytesPerPixel;
    const blocks = lower(graph, { image: { range: 255 } }).steps.filter(({ name }) =>
      /^block[1-9]\./.test(name),
    );
    const nine = planCost(
      { ...lower(graph, { image: { range: 255 } }), steps: blocks },
      size,
      () => 0,
    );
    // 7 maps of 40 channels in f32, and the partial sums: less than one part in a hundred.
    expect(nine.bytesPerPixel / 9).toBeGreaterThanOrEqual(1120);
    expect(nine.bytesPerPixel / 9).toBeLessThan(1120 * 1.01);
    expect(bytes('blocks')).toBeLessThan(bytes('ops'));
    expect(bytes('ops')).toBeLessThan(bytes('none'));
  });

  it('counts weights once per step, whatever the size', () => {
    const program = lower(graph, { image: { range: 255 } });
    const cost = (bytes: number) => planCost(program, size, () => bytes).bytesPerPixel;
    const keys = program.steps.map(
      ({ reads }) =>
        new Set(reads.flatMap((one) => ('constant' in one ? [one.constant] : []))).size,
    );
    const sum = keys.reduce((a, b) => a + b, 0);
    expect((cost(8) - cost(0)) * size.width * size.height).toBeCloseTo(8 * sum);
  });
});
