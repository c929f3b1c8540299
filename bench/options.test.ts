import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.ts';

describe('parseOptions', () => {
  it('reads sizes, engines and the rest', () => {
    const args = ['--sizes', '64x64, 8x16', '--engines', 'crispen-fused,ort-wasm', '--json'];
    expect(parseOptions(args)).toMatchObject({
      sizes: [
        [64, 64],
        [8, 16],
      ],
      engines: ['crispen-fused', 'ort-wasm'],
      repeats: 5,
      scale: 2,
      network: 'a2n',
      weights: null,
      json: true,
      threads: [],
    });
    expect(parseOptions(['--threads', '1,2']).threads).toEqual([1, 2]);
  });

  it.each([
    [['--sizes', '64'], '--sizes'],
    [['--sizes', '0x4'], '--sizes'],
    [['--engines', 'fastest'], '--engines'],
    [['--repeats', '-1'], '--repeats'],
    [['--threads', '1,none'], '--threads'],
    [['--network', 'pan'], '--weights'],
    [['--scale', '5'], '--scale'],
  ])('refuses %j', (args, named) => {
    expect(() => parseOptions(args)).toThrow(named);
  });

  it('knows only the engines that a command has', () => {
    expect(() => parseOptions(['--engines', 'ort-wasm'], ['crispen-fused'])).toThrow('--engines');
  });
});
