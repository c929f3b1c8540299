import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bucketsOf } from '../graph/nonlocalOp.ts';
import { toFloat32 } from '../weights/convert.ts';
import { readWeights } from '../weights/read.ts';
import { detect, recognise } from './detect.ts';
import { prepareDlsn } from './dlsn.ts';

const shared = process.env.CRISPEN_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const folder = join(shared, 'weights/checkpoints2');
if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);

describe('DLSN', () => {
  it.skipIf(!existsSync(folder)).each([
    ['dlsn_x2_plain_zip.pt', 2, 4, 8],
    ['dlsn_x3_half_model_legacy.pt', 3, 8, 16],
  ])('is found in %s', async (file, scale, embedding, chunk) => {
    const { tensors } = await readWeights(readFileSync(join(folder, file)), recognise);
    const found = detect(tensors, { name: 'renamed-x7.pt' });
    expect(found).toMatchObject({ architecture: 'dlsn', scale, scaleSource: 'shapes' });
    expect(found.assumptions[0]).toMatch(/rotations from a fixed seed/);
    const { nodes, weights } = found.network.graph;
    const match = nodes.find(({ name }) => name === 'module0.conv_match');
    expect(match?.shape).toMatchObject({ channels: embedding });
    const score = nodes.find(({ name }) => name === 'module0.score');
    expect(score).toMatchObject({ spec: { rounds: 3, window: chunk } });
    for (const { name, shape } of weights) {
      expect(found.weights.get(name)?.shape, name).toEqual(shape);
    }
  });

  it('takes the same rotations every time, orthonormal and different in every module', () => {
    const rotations = (key: string) => {
      const tensors = prepareDlsn(new Map(), 2, 3, 128, 16);
      return toFloat32(tensors.get(`rotations.${key}`)!);
    };
    expect(rotations('0')).toEqual(rotations('0'));
    expect(rotations('1')).not.toEqual(rotations('0'));
    const first = rotations('0');
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j++) {
        let sum = 0;
        for (let k = 0; k < 128; k++) sum += first[k * 16 + i] * first[k * 16 + j];
        expect(sum).toBeCloseTo(i === j ? 1 : 0, 5);
      }
    }
  });

  it('hashes into an even number of buckets, about one a chunk', () => {
    expect([1, 100, 127, 128, 300, 500, 100_000].map((n) => bucketsOf(n, 100, 128))).toEqual([
      2, 2, 2, 2, 4, 6, 128,
    ]);
  });
});
