import { describe, expect, it } from 'vitest';
import type { AttentionInspection } from '../../src/index.ts';
import { colourMap, heatColour, nameColour } from './heat.ts';
import {
  attendedMap,
  choicesOf,
  exported,
  layersOf,
  mapOf,
  pixelValues,
  sampledKeys,
  shareOf,
} from './maps.ts';

/** A picture of 2 x 2 pixels, with one layer of each kind. */
const inspection: AttentionInspection = {
  model: 'a2n-photo-x2',
  architecture: 'a2n',
  scale: 2,
  backend: 'webgpu',
  width: 2,
  height: 2,
  region: { x: 0, y: 0, width: 2, height: 2 },
  reduction: 1,
  milliseconds: 5,
  blocks: [
    {
      name: 'block0',
      branches: [0.75, 0.25],
      attention: {
        channels: 2,
        width: 2,
        height: 2,
        data: Float32Array.of(0, 0.25, 0.5, 1, 1, 0.75, 0.5, 0),
      },
      enhanced: { channel: 1, mean: 0.5625, data: Float32Array.of(-2, 0, 2, 4) },
      suppressed: { channel: 0, mean: 0.4375, data: Float32Array.of(1, 1, 1, 1) },
      channelFactors: null,
    },
    {
      name: 'up1',
      branches: null,
      attention: {
        channels: 1,
        width: 4,
        height: 4,
        data: Float32Array.from({ length: 16 }, (_, i) => i / 16),
      },
      enhanced: null,
      suppressed: null,
      channelFactors: null,
    },
  ],
  clusters: [
    {
      name: 'shared',
      rounds: 1,
      clusters: 3,
      width: 2,
      height: 2,
      codes: Uint32Array.of(0, 2, 2, 1),
      count: 2,
      neighbours: Uint32Array.of(3, 0, 1, 2, 2, 1, 0, 0),
      weights: Float32Array.of(0.75, 0.25, 0.5, 0.5, 0.5, 0.5, 1, 0),
    },
  ],
  keys: [
    {
      name: 'stage0',
      references: [{ name: 'head', first: 0, keys: 2 }],
      width: 2,
      height: 2,
      weights: Float32Array.of(0.25, 0.5, 0.5, 0.5, 0.75, 0.5, 0.5, 0.5),
      offsets: Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0.5, 0, 0, 0, -1, 0, 0, 0),
      gates: Float32Array.of(1, 1, 1, 1, 0, 1, 1, 1),
    },
  ],
};
const [block, up, clusters, keys] = layersOf(inspection);

describe('maps', () => {
  it('lists the layers and their maps', () => {
    expect(layersOf(inspection).map(({ name }) => name)).toEqual([
      'block0',
      'up1',
      'shared',
      'stage0',
    ]);
    expect(choicesOf(block)).toEqual(['mean', 'enhanced', 'suppressed', 'channel-0', 'channel-1']);
    expect(choicesOf(up)).toEqual(['mean', 'channel-0']);
    expect(choicesOf(clusters)).toEqual(['round-0']);
    expect(choicesOf(keys)).toEqual(['reference-0']);
  });

  it('takes means over channels, single channels, features, clusters and sums of keys', () => {
    const values = (...args: Parameters<typeof mapOf>) => Array.from(mapOf(...args)?.values ?? []);
    expect(values(block, 'mean')).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(values(block, 'channel-1')).toEqual([1, 0.75, 0.5, 0]);
    expect(mapOf(block, 'enhanced')).toMatchObject({ range: [-2, 4] });
    expect(values(clusters, 'round-0')).toEqual([0, 2, 2, 1]);
    expect(mapOf(clusters, 'round-0')?.range).toBeNull();
    expect(values(keys, 'reference-0')).toEqual([1, 1, 1, 1]);
  });

  it('follows a pixel through blocks of any size', () => {
    expect(pixelValues(inspection, { x: 1, y: 1 }, 1)).toEqual([
      { name: 'block0', least: 0, mean: 0.5, most: 1, chosen: 0 },
      { name: 'up1', least: 15 / 16, mean: 15 / 16, most: 15 / 16, chosen: null },
    ]);
  });

  it('shows what a pixel attends to', () => {
    if (clusters.kind !== 'clusters' || keys.kind !== 'keys') throw new Error('other layers');
    expect([...(attendedMap(clusters.of, { x: 0, y: 0 }).values as Float32Array)]).toEqual([
      0.25, 0, 0, 0.75,
    ]);
    // The offsets are stored as (dy, dx).
    expect(sampledKeys(keys.of, { x: 0, y: 0 })).toEqual([
      { reference: 0, x: -1, y: 0.5, weight: 0.75, gate: 0 },
      { reference: 0, x: 1, y: 0, weight: 0.25, gate: 1 },
    ]);
  });

  it('gives each layer its bar', () => {
    expect(shareOf(block)).toBe(0.75);
    expect(shareOf(up)).toBeCloseTo(7.5 / 16);
    expect(shareOf(clusters)).toBeNull();
  });

  it('exports plain data that JSON can hold', () => {
    const shown = { layer: clusters, choice: 'round-0' as const, pixel: { x: 0, y: 0 } };
    const data = JSON.parse(JSON.stringify(exported(inspection, shown)));
    expect(data).toMatchObject({
      model: 'a2n-photo-x2',
      blocks: [{ name: 'block0', branches: [0.75, 0.25], channelMeans: [0.4375, 0.5625] }, {}],
      clusters: [{ codes: [0, 2, 2, 1] }],
      map: { layer: 'shared', values: [0, 2, 2, 1] },
      pixel: {
        x: 0,
        attendsTo: [
          { x: 1, y: 1, weight: 0.75 },
          { x: 0, y: 0, weight: 0.25 },
        ],
      },
    });
  });
});

describe('colours', () => {
  const lightness = ([r, g, b]: number[]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

  it('become lighter with the value', () => {
    const steps = Array.from({ length: 21 }, (_, i) => lightness(heatColour(i / 20)));
    for (const [i, step] of steps.entries()) if (i > 0) expect(step).toBeGreaterThan(steps[i - 1]);
    expect(heatColour(-1)).toEqual(heatColour(0));
    expect(heatColour(Number.NaN)).toEqual(heatColour(0));
    expect(heatColour(2)).toEqual(heatColour(1));
  });

  it('differ between clusters', () => {
    const colours = Array.from({ length: 128 }, (_, i) => nameColour(i).join());
    expect(new Set(colours).size).toBe(128);
  });

  it('fill a map, from its smallest to its largest value', () => {
    const map = { width: 2, height: 1, values: [5, 7], range: [5, 7] as const };
    expect([...colourMap(map)]).toEqual([...heatColour(0), 255, ...heatColour(1), 255]);
  });
});
