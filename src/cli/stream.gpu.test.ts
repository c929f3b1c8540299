import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyCheckpoint } from '../../test/checkpoints/tiny.ts';
import { picture } from '../../test/pictures.ts';
import { PACKAGE_ROOT } from './model.ts';

const [WIDTH, HEIGHT] = [300, 200];

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-stream-'));
  await writeFile(at('tiny.safetensors'), tinyCheckpoint());
  const raw = { width: WIDTH, height: HEIGHT, channels: 4 as const };
  await sharp(picture(WIDTH, HEIGHT).data, { raw }).png().toFile(at('in.png'));
});
afterAll(() => rm(folder, { recursive: true }));

function crispen(...args: string[]) {
  const child = spawn(process.execPath, ['scripts/run.mjs', 'src/cli/crispen.ts', ...args], {
    cwd: PACKAGE_ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text;
  });
  const ended = new Promise<{ code: number | null; words: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, words }));
  });
  return { child, ended };
}

const args = () => [at('in.png'), at('out.png'), '--weights', at('tiny.safetensors')];

it('leaves no file behind when it is interrupted', async () => {
  const before = await readdir(folder);
  const { child, ended } = crispen(...args());
  // The file grows under another name from the start of the work on.
  await expect
    .poll(() => readdir(folder), { timeout: 120_000, interval: 5 })
    .toHaveLength(before.length + 1);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 1, words: expect.stringContaining('ABORTED') });
  expect(await readdir(folder)).toEqual(before);
});

it('writes the same file when it is not', async () => {
  expect((await crispen(...args()).ended).code).toBe(0);
  const { format, width, height } = await sharp(at('out.png')).metadata();
  expect([format, width, height]).toEqual(['png', WIDTH * 4, HEIGHT * 4]);
  expect((await readdir(folder)).sort()).toEqual(['in.png', 'out.png', 'tiny.safetensors']);
});
