import { describe, expect, it } from 'vitest';
import type { Row } from './contender.ts';
import { formatCeiling, formatTable } from './table.ts';

const row: Row = {
  engine: 'crispen-fused',
  precision: 'f32',
  network: 'a2n',
  scale: 2,
  width: 64,
  height: 64,
  medianMs: 12.345,
  firstMs: 678.9,
  gpuBytes: 3 * 2 ** 20,
  dispatches: 40,
  maxAbsDiff: 1.2e-6,
  multiplyAddsPerPixel: 1074072,
  bytesPerPixel: 21000,
  multiplyAddShare: 0.4213,
  bandwidthShare: 0.05,
};

describe('formatTable', () => {
  it('compares medians of one size and shows errors', () => {
    const rival: Row = { ...row, engine: 'ort-webgpu', medianMs: 24.69 };
    const broken: Row = {
      ...row,
      engine: 'ort-wasm',
      threads: 2,
      gflopsPerThread: 12.34,
      width: 32,
      medianMs: null,
      error: 'no wasm',
    };
    const lines = formatTable([row, rival, broken]).split('\n');
    expect(lines[1]).toMatch(
      /^crispen-fused +- +64x64 +12\.35 +679 +1\.00x +3\.0 +40 +1\.2e-6 +- +42\.1 % +5\.00 %$/,
    );
    expect(lines[2]).toMatch(/ 2\.00x /);
    expect(lines[3]).toMatch(/^ort-wasm +2 +32x64 +- +679 +- .* 12\.3 /);
    expect(lines[4]).toBe('  no wasm');
  });
});

describe('formatCeiling', () => {
  it('names what the adapter can do and what the plan asks', () => {
    const ceiling = { multiplyAdds: { f32: 2.5e9, f16: null }, bandwidth: 4e9 };
    const text = formatCeiling(ceiling, [row]);
    expect(text).toContain(
      '2.50 billion multiply-adds/s in f32, none in f16; 4.00 billion bytes/s',
    );
    expect(text).not.toContain('core');
    expect(formatCeiling({ ...ceiling, core: 29e9 }, [row])).toContain(
      '29.0 billion multiply-adds/s on one core of the CPU',
    );
    expect(text).toContain('crispen-fused: 1074072 multiply-adds and 21000 bytes per LR pixel');
  });
});
