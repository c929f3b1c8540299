import { describe, expect, it } from 'vitest';
import { lower } from '../src/engine/compile/lower.ts';
import { multiplyAddsPerPixel } from '../src/graph/analysis.ts';
import { createNetwork } from '../src/networks/registry.ts';
import { planCost } from './plan.ts';

const { graph } = createNetwork('a2n', { scale: 2 });
const size = { width: 256, height: 256 };

describe('planCost', () => {
  it('counts the multiply-adds of the graph, however it is fused', async () => {
    for (const fuse of ['none', 'ops', 'blocks'] as const) {
      const cost = planCost(await lower(graph, { fuse, image: { range: 255 } }), size, () => 0);
      expect(cost.multiplyAddsPerPixel).toBe(multiplyAddsPerPixel(graph));
    }
  });

  it('counts seven maps for each fused block, and more without fusion', async () => {
    const bytes = async (fuse: 'none' | 'ops' | 'blocks') =>
      planCost(await lower(graph, { fuse, image: { range: 255 } }), size, () => 0).bytesPerPixel;
    const program = await lower(graph, { fuse: 'blocks', image: { range: 255 } });
    const blocks = program.steps.filter(({ name }) => /^block[1-9]\./.test(name));
    const nine = planCost({ ...program, steps: blocks }, size, () => 0);
    // 7 maps of 40 channels in f32, and the partial sums, which add less than one percent.
    expect(nine.bytesPerPixel / 9).toBeGreaterThanOrEqual(1120);
    expect(nine.bytesPerPixel / 9).toBeLessThan(1120 * 1.01);
    expect(await bytes('blocks')).toBeLessThan(await bytes('ops'));
    expect(await bytes('ops')).toBeLessThan(await bytes('none'));
  });

  it('counts weights once per step, whatever the size', async () => {
    const program = await lower(graph, { image: { range: 255 } });
    const cost = (bytes: number) => planCost(program, size, () => bytes).bytesPerPixel;
    const keys = program.steps.map(
      ({ reads }) =>
        new Set(reads.flatMap((one) => ('constant' in one ? [one.constant] : []))).size,
    );
    const sum = keys.reduce((a, b) => a + b, 0);
    expect((cost(8) - cost(0)) * size.width * size.height).toBeCloseTo(8 * sum);
  });
});
