import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tinyCheckpoint } from '../checkpoints/tiny.ts';
import { badWays } from './files.ts';
import { kills } from './kills.ts';
import { many } from './many.ts';
import { SOURCE as program } from './program.ts';

let folder: string;
let weights: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-bulk-'));
  weights = join(folder, 'tiny-x2.safetensors');
  await writeFile(weights, tinyCheckpoint(2));
});
afterEach(() => rm(folder, { recursive: true }));
const args = ['--device', 'cpu', '--threads', '1'];

it('80 files, 20 of them bad in 20 ways: each result is right, and memory stays', async () => {
  expect((await badWays()).length).toBe(20);
  const counts = await many({ program, folder, weights, files: 80, bad: 20, seed: 3, args });
  expect(counts).toMatchObject({ good: 60, bad: 20, wrong: [], unlisted: [], exitCode: 1 });
  expect(counts.peak).toBeLessThan(2 * counts.peakOfLargest);
}, 300_000);

it('runs that are killed and started again make the pictures of an unbroken run', async () => {
  const lines: string[] = [];
  const counts = await kills({
    ...{ program, folder, weights, args, seed: 5 },
    ...{ rounds: 2, pictures: 24, say: (line) => lines.push(line) },
  });
  expect(counts, lines.join('\n')).toMatchObject({ kills: 2, different: [], temporary: [] });
  expect(counts.twice).toBeLessThanOrEqual(counts.jobs);
}, 300_000);
