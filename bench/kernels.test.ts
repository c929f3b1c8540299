import { expect, it } from 'vitest';
import { byKernel, dispatchesOf, formatProfile, type StepTime } from './kernels.ts';

const ceiling = { multiplyAdds: { f32: 1e9, f16: null }, bandwidth: 1e9 };
const step = (kernel: string, milliseconds: number, work: number): StepTime => ({
  kernel,
  milliseconds,
  multiplyAdds: work,
  bytes: 2 * work,
  loaded: { storage: work / 8, uniform: 0, workgroup: work / 4 },
});
const times = [step('mix', 1, 0), step('conv', 2, 5e5), step('conv', 6, 3.5e6)];

it('sums over steps of a kernel, the longest first', () => {
  const [conv, mix] = byKernel(times, ceiling, 'f32');
  // 4e6 multiply-adds in 8 ms are half of 1e9 per second. With twice as many bytes, the full 1e9 is
  // reached.
  expect(conv).toMatchObject({ kernel: 'conv', steps: 2, milliseconds: 8, multiplyAdds: 4e6 });
  expect(conv).toMatchObject({ multiplyAddShare: 0.5, bandwidthShare: 1 });
  expect(conv.loads).toEqual({ storage: 1 / 8, uniform: 0, workgroup: 1 / 4 });
  expect(mix).toMatchObject({ kernel: 'mix', steps: 1, multiplyAddShare: 0, bandwidthShare: 0 });
  expect(byKernel(times, ceiling, 'f16')[0].multiplyAddShare).toBeNull();
});

it('prints shares of time, and a line of all', () => {
  const text = formatProfile({
    model: 'a2n-x2',
    size: { width: 4, height: 3 },
    precision: 'f32',
    fuse: 'ops',
    conv: 'quad',
    adapter: 'none',
    clock: 'wall',
    ceiling,
    blocks: dispatchesOf(
      ['block0.a', 'block0.b', 'up', 'block1.a', 'block1.b:sums', 'block2.a.b1.c'].map((name) => ({
        name,
      })),
    ),
    kernels: byKernel(times, ceiling, 'f32'),
  });
  const lines = text.split('\n');
  expect(lines[0]).toContain('a2n-x2 at 4 x 3 in f32, fused to ops, convolutions quad');
  expect(lines[1]).toBe('dispatches: 3 in all; 2 in each of block0 to block1; 1 in block2');
  expect(lines[4]).toMatch(
    /^conv +2 +8\.000 +88\.9 % +0\.5 +50\.0 % +1\.0 +100 % +125\.0 +0\.0 +250\.0$/,
  );
  expect(lines[6]).toMatch(/^all +3 +9\.000 +100 % +0\.4 +44\.4 %/);
});
