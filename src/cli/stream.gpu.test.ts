import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyCheckpoint } from '../../test/checkpoints/tiny.ts';
import { picture } from '../../test/pictures.ts';
import { PACKAGE_ROOT } from '../node/model.ts';

/**
 * With `CRISPEN_LARGE=1`, the tests use an image of 24 megapixels. Enlarging it by a factor of four
 * takes about ten minutes on a software adapter.
 */
const IS_LARGE = process.env.CRISPEN_LARGE === '1';
const [WIDTH, HEIGHT] = IS_LARGE ? [6000, 4000] : [300, 200];
const PICTURE = { width: WIDTH, height: HEIGHT, channels: 4 as const };
const HOUR = 3_600_000;
/** A module that makes a process print its peak memory use in kilobytes when it exits. */
const GAUGE =
  'data:text/javascript,process.on("exit",()=>console.error("maxRSS",process.resourceUsage().maxRSS))';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-stream-'));
  await writeFile(at('tiny.safetensors'), tinyCheckpoint());
  await sharp(picture(WIDTH, HEIGHT).data, { raw: PICTURE }).png().toFile(at('in.png'));
}, HOUR);
afterAll(() => rm(folder, { recursive: true }));

function crispen(...args: string[]) {
  const command = ['--import', GAUGE, 'scripts/run.mjs', 'src/cli/crispen.ts', ...args];
  const child = spawn(process.execPath, command, {
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

const args = () => [
  ...[at('in.png'), at('out.png'), '--weights', at('tiny.safetensors'), '--device', 'gpu'],
  ...(IS_LARGE ? ['--memory', '256'] : []),
];

it('leaves no file behind when it is interrupted', async () => {
  const before = await readdir(folder);
  const { child, ended } = crispen(...args());
  // While the command runs, the result is written to a temporary file, so the folder contains one
  // more file.
  await expect
    .poll(() => readdir(folder), { timeout: 120_000, interval: 5 })
    .toHaveLength(before.length + 1);
  child.kill('SIGINT');
  // As in shells, the exit code is 128 plus the signal number.
  expect(await ended).toMatchObject({ code: 130, words: expect.stringContaining('ABORTED') });
  expect(await readdir(folder)).toEqual(before);
});

it(
  `enlarges ${WIDTH} x ${HEIGHT} by four to a valid file in bounded memory`,
  async () => {
    const start = performance.now();
    const { code, words } = await crispen(...args()).ended;
    expect(code).toBe(0);
    const megabytes = (Number(/maxRSS (\d+)/.exec(words)?.[1]) * 1024) / 1e6;
    const seconds = (performance.now() - start) / 1000;
    const { size } = await stat(at('out.png'));
    console.info(
      `${Math.round(megabytes)} MB resident at most, ${Math.round(seconds)} s, a file of ${(size / 1e6).toFixed(1)} MB`,
    );
    expect(megabytes).toBeLessThan(1500);
    expect((await readdir(folder)).sort()).toEqual(['in.png', 'out.png', 'tiny.safetensors']);

    const open = () => sharp(at('out.png'), { limitInputPixels: false, sequentialRead: true });
    const { format, width, height, channels } = await open().metadata();
    expect([format, width, height, channels]).toEqual(['png', WIDTH * 4, HEIGHT * 4, 3]);
    // `stats` decodes every row, so it also finds errors in the file. The network's result is
    // similar to a nearest-neighbour enlargement, so each channel's mean must be close to the
    // input's.
    const stats = await open().stats();
    const wanted = await sharp(at('in.png')).stats();
    stats.channels.forEach(({ mean }, c) => {
      expect(Math.abs(mean - wanted.channels[c].mean)).toBeLessThan(40);
    });
  },
  HOUR,
);
