import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { tinyCheckpoint } from '../../../test/checkpoints/tiny.ts';
import { hostileFiles } from '../../../test/hostile.ts';
import { upscaleCommand } from '../upscale.ts';
import { collect } from './inputs.ts';
import { Journal } from './journal.ts';
import { shardOf, shardWith } from './shard.ts';
import { statusOf } from './status.ts';

const free = vi.hoisted(() => ({ bytes: null as number | null }));
vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>();
  const statfs = async (path: string) =>
    free.bytes === null ? fs.statfs(path) : { bavail: free.bytes, bsize: 1 };
  return { ...fs, statfs };
});

let folder: string;
let printed: string[];
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  free.bytes = null;
  folder = await mkdtemp(join(tmpdir(), 'crispen-bulk-'));
  await writeFile(at('tiny-x2.safetensors'), tinyCheckpoint(2));
  printed = [];
  vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(String(line)));
  vi.spyOn(console, 'error').mockImplementation((line) => void printed.push(String(line)));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

/** Writes a small image. `seed` determines its content. */
async function picture(name: string, seed = 1, width = 6, height = 5): Promise<void> {
  await mkdir(join(at(name), '..'), { recursive: true });
  const data = Buffer.from(
    Array.from({ length: width * height * 3 }, (_, i) => (i * 37 * seed) % 256),
  );
  await sharp(data, { raw: { width, height, channels: 3 } }).toFile(at(name));
}

const common = ['--device', 'cpu', '--threads', '1'];
async function run(...args: string[]) {
  printed = [];
  const code = await upscaleCommand([
    ...args,
    '--weights',
    at('tiny-x2.safetensors'),
    ...common,
    '--json',
  ]);
  const lines = printed.map((line) => JSON.parse(line));
  return { code, lines: lines.slice(0, -1), last: lines.at(-1) };
}
const made = async (name: string) => sharp(at(name)).metadata();

describe('many pictures', () => {
  it('mirrors the folders, reports each failure, and goes on where it stopped', async () => {
    await picture('in/a.png', 1);
    await picture('in/deep/er/b.jpg', 2, 8, 3);
    await picture('in/deep/ü "q"\n.webp', 3);
    await writeFile(at('in/broken.png'), 'no');
    await writeFile(at('in/notes.txt'), 'no picture');
    await writeFile(at('in/Thumbs.db'), 'system');
    await picture('in/.hidden/c.png');
    const first = await run(at('in'), '--out', at('out'), '--recursive');
    expect(first.code).toBe(1);
    expect(first.last).toMatchObject({ pictures: 4, made: 3, failed: 1, noPicture: 1, already: 0 });
    expect(first.last.codes).toEqual({ DECODE_FAILED: 1 });
    expect(first.lines.find(({ file }) => file === 'broken.png')).toMatchObject({
      code: 'DECODE_FAILED',
    });
    expect(await made('out/deep/er/b.jpg')).toMatchObject({ width: 16, height: 6, format: 'jpeg' });
    expect(await made('out/deep/ü "q"\n.webp')).toMatchObject({ width: 12, format: 'webp' });
    expect((await readdir(at('out'))).sort()).toEqual(['.crispen.jsonl', 'a.png', 'deep']);

    await picture('in/late.png', 5);
    const second = await run(at('in'), '--out', at('out'), '--recursive');
    expect(second.last).toMatchObject({ pictures: 5, made: 1, already: 3, failed: 1 });
    expect((await statusOf(at('out'))).failed.map(({ input }) => input)).toEqual(['broken.png']);
  });

  it('makes again what changed: the input, the settings, the result', async () => {
    await picture('in/a.png', 1);
    await picture('in/b.png', 2);
    const args = [at('in'), '--out', at('out')];
    await run(...args);
    expect((await run(...args)).last).toMatchObject({ made: 0, already: 2 });
    await utimes(at('in/a.png'), 1, 1);
    expect((await run(...args)).last).toMatchObject({ made: 1, already: 1 });
    await rm(at('out/b.png'));
    expect(await statusOf(at('out'))).toMatchObject({ done: 1, lost: ['b.png'], again: ['1/1'] });
    expect((await run(...args)).last).toMatchObject({ made: 1, already: 1 });
    expect((await run(...args, '--scale', '3')).last).toMatchObject({ made: 2 });
    expect((await run(...args, '--scale', '3', '--overwrite')).last).toMatchObject({ made: 2 });
    const name = ['--name', '{name}'];
    expect((await run(...args, ...name)).last).toMatchObject({ made: 2 });
    expect((await run(...args, ...name, '--format', 'webp')).last).toMatchObject({ made: 2 });
    expect(await made('out/a')).toMatchObject({ format: 'webp' });
  });

  it('survives half a line and the loss of its journal', async () => {
    await picture('in/a.png', 1);
    await picture('in/b.png', 2);
    const args = [at('in'), '--out', at('out')];
    await run(...args);
    const journal = at('out/.crispen.jsonl');
    const text = await readFile(journal, 'utf8');
    await writeFile(journal, text.slice(0, -20));
    expect((await run(...args)).last).toMatchObject({ made: 1, already: 1 });
    expect((await run(...args)).last).toMatchObject({ made: 0, already: 2 });
    await rm(journal);
    expect((await run(...args)).last).toMatchObject({ made: 2, already: 0 });
  });

  it('removes what a killed run left, but nothing of others', async () => {
    await picture('in/a.png');
    await run(at('in'), '--out', at('out'));
    const random = '0123456789abcdef01234567';
    const { HOST } = await import('../../node/output.ts');
    // No process has the id 99999999, because process ids on Linux are at most 2^22.
    await writeFile(at(`out/.crispen-${HOST}-99999999-${random}.tmp`), 'old');
    await writeFile(at(`out/.crispen-ffffff-99999999-${random}.tmp`), 'of another machine');
    await writeFile(at(`out/.crispen-eeeeee-99999999-${random}.tmp`), 'the same, days ago');
    await utimes(at(`out/.crispen-eeeeee-99999999-${random}.tmp`), 1, 1);
    await writeFile(at(`out/.crispen-${HOST}-${process.ppid}-${random}.tmp`), 'of another process');
    await run(at('in'), '--out', at('out'));
    expect((await readdir(at('out'))).filter((name) => name.endsWith('.tmp')).sort()).toEqual(
      [
        `.crispen-${HOST}-${process.ppid}-${random}.tmp`,
        `.crispen-ffffff-99999999-${random}.tmp`,
      ].sort(),
    );
  });

  test.each([
    [
      'two inputs for one result',
      ['in/a.png', 'in/a.jpg'],
      ['--format', 'png'],
      /would both write a\.png/,
    ],
    ['an input as result', ['in/a.png'], ['--out', 'in'], /would be overwritten/],
    ['an unknown place', ['in/a.png'], ['--name', '{size}.png'], /not \{size\}/],
    ['a path as name', ['in/a.png'], ['--name', '../{name}.png'], /without slashes/],
    ['a factor that differs', ['in/a.png'], ['--name', '{scale}', '--fit', '9x9'], /needs --scale/],
    ['a wrong shard', ['in/a.png'], ['--shard', '3/2'], /I is 1 to N/],
  ])('refuses %s before any work', async (_, files, more, message) => {
    for (const file of files) await picture(file);
    const args = more.map((arg) => (arg === 'in' ? at('in') : arg));
    const out = more.includes('--out') ? [] : ['--out', at('out')];
    await expect(run(...files.map(at), ...out, ...args)).rejects.toThrow(message);
    await expect(stat(at('out'))).rejects.toThrow();
  });

  it('takes names from a list, and names results by a template', async () => {
    await picture('x/a\n.png', 1);
    await picture('x/b.jpg', 2);
    await writeFile(at('list'), [at('x/a\n.png'), at('x/b.jpg'), ''].join('\0'));
    const name = ['--name', '{name}@{scale}x.{ext}', '--scale', '2'];
    const { last } = await run('--files-from', at('list'), '-0', '--out', at('out'), ...name);
    expect(last).toMatchObject({ made: 2, failed: 0 });
    expect((await readdir(at('out'))).sort()).toEqual(['.crispen.jsonl', 'a\n@2x.png', 'b@2x.jpg']);
  });

  it('stops at the first failure if told to, and at one that concerns all', async () => {
    for (const i of [1, 2, 3, 4]) await picture(`in/${i}.png`, i);
    await writeFile(at('in/0.png'), 'no');
    const fast = await run(at('in'), '--out', at('out'), '--fail-fast', '--jobs', '1');
    expect(fast).toMatchObject({ code: 1, last: { made: 0, failed: 1 } });
    // An error that affects all images ends the run, which then fails with that error's code.
    const journal = await Journal.open(at('out'), { index: 1, of: 1 });
    journal.close();
    const begin = { run: '', shard: 1, of: 1, pictures: 1 };
    expect(() => journal.append(begin)).toThrow(expect.objectContaining({ code: 'WRITE_FAILED' }));
    const wrong = upscaleCommand([at('in'), '--out', at('out'), '--model', 'nonesuch', ...common]);
    await expect(wrong).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  });

  it('a damaged header that claims 100,000 x 100,000 pixels stops nothing else', async () => {
    const claims = (await hostileFiles()).find(({ name }) => name.startsWith('claims'));
    await mkdir(at('in'));
    await writeFile(at('in/claims.png'), claims?.file ?? '');
    await picture('in/a.png');
    const { last } = await run(at('in'), '--out', at('out'));
    expect(last).toMatchObject({ made: 1, codes: { IMAGE_TOO_LARGE: 1 } });
  });

  it('shares the work among shards without gap or overlap', async () => {
    for (let i = 0; i < 9; i++) await picture(`in/${i}.png`, i + 1);
    const counts = [];
    for (const shard of ['1/3', '2/3']) {
      counts.push((await run(at('in'), '--out', at('out'), '--shard', shard)).last.made);
    }
    expect(await statusOf(at('out'))).toMatchObject({ missing: null, again: ['3/3'] });
    counts.push((await run(at('in'), '--out', at('out'), '--shard', '3/3')).last.made);
    expect(counts.reduce((a, b) => a + b)).toBe(9);
    expect(await statusOf(at('out'))).toEqual({
      done: 9,
      failed: [],
      missing: 0,
      lost: [],
      again: [],
    });
    // A run with a different number of shards finds the results of earlier runs.
    expect((await run(at('in'), '--out', at('out'))).last).toMatchObject({ made: 0, already: 9 });
  });

  it('says that a journal without the start of a run is damaged, and runs again', async () => {
    await picture('in/a.png');
    await run(at('in'), '--out', at('out'));
    const [name] = (await readdir(at('out'))).filter((file) => file.endsWith('.jsonl'));
    const lines = (await readFile(at(`out/${name}`), 'utf8')).split('\n');
    const kept = lines.filter((line) => !line.includes('"run"'));
    expect(kept.length).toBe(lines.length - 1);
    await writeFile(at(`out/${name}`), kept.join('\n'));
    await expect(statusOf(at('out'))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('damaged'),
    });
    expect((await run(at('in'), '--out', at('out'))).last).toMatchObject({ made: 0, already: 1 });
    expect(await statusOf(at('out'))).toMatchObject({ done: 1, missing: 0, again: [] });
  });

  it('takes sides and boxes, which mean another factor for each picture', async () => {
    await picture('in/wide.png', 1, 100, 10);
    await picture('in/small.png', 2, 9, 9);
    const { last } = await run(at('in'), '--out', at('out'), '--width', '1100');
    expect(last).toMatchObject({ made: 1, failed: 1, codes: { INVALID_INPUT: 1 } });
    expect(await made('out/wide.png')).toMatchObject({ width: 1100, height: 110 });
  });

  it('takes a file that is named twice once, and refuses a file as folder', async () => {
    await picture('in/a.png');
    await symlink(at('in'), at('same'));
    const twice = [at('in/a.png'), at('in/a.png'), at('same/a.png')];
    expect((await run(...twice, '--out', at('out'))).last).toMatchObject({ made: 1, pictures: 1 });
    const file = run(at('in'), '--out', at('in/a.png'));
    await expect(file).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await picture('in/sub/b.png');
    await writeFile(at('out/sub'), 'a file');
    const below = await run(at('in'), '--out', at('out'), '--recursive');
    expect(below.last).toMatchObject({ already: 1, codes: { INVALID_INPUT: 1 } });
    const { last } = await run(at('in'), '--out', at('out'), '--recursive', '--dry-run');
    expect(last).toMatchObject({ pictures: 1, already: 1 });
  });

  it('says what there is to do without doing it', async () => {
    await picture('in/a.png', 1, 30, 20);
    const { last } = await run(at('in'), '--out', at('out'), '--dry-run');
    expect(last).toMatchObject({ pictures: 1, already: 0, megapixels: 0, diskMegabytes: 1 });
    expect(last.freeMegabytes).toBeGreaterThan(0);
    expect(last.seconds).toBeGreaterThanOrEqual(0);
    await expect(stat(at('out'))).rejects.toThrow();
  });
});

it('a disk that is nearly full holds the few pictures that are missing', async () => {
  for (let i = 0; i < 5; i++) await picture(`in/${i}.png`, i + 1, 40, 40);
  const args = [at('in'), '--out', at('out')];
  await run(...args);
  await rm(at('in/0.png'));
  await picture('in/new.png', 9, 8, 8);
  // There is enough space for the one missing result, estimated at 0.5 kB, but not for all results.
  free.bytes = 4000;
  expect((await run(...args)).last).toMatchObject({ made: 1, already: 4 });
  await picture('in/large.png', 9, 80, 80);
  await expect(run(...args)).rejects.toMatchObject({ code: 'WRITE_FAILED' });
});

describe('crispen status', () => {
  const here = process.cwd();
  afterEach(() => process.chdir(here));

  it('takes a folder; with a file of its name, an output means that input', async () => {
    await picture('in/a.png');
    await run(at('in'), '--out', at('out'));
    process.chdir(folder);
    expect(await upscaleCommand(['status', 'out'])).toBe(0);
    await expect(upscaleCommand(['status', 'none'])).rejects.toThrow(/no \.crispen\.jsonl/);
    await writeFile('status', await readFile('in/a.png'));
    const args = ['--weights', 'tiny-x2.safetensors', ...common];
    expect(await upscaleCommand(['status', 'larger.png', ...args])).toBe(0);
    expect(await made('larger.png')).toMatchObject({ width: 12 });
    expect(await upscaleCommand(['status', 'other.png', '--json'])).toBe(0);
    expect(await upscaleCommand(['status', 'out', '--json'])).toBe(0);
    expect(JSON.parse(printed.at(-1) ?? '')).toMatchObject({ done: 1 });
  });
});

describe('inputs', () => {
  it('follows links once, and does not read the output folder', async () => {
    await picture('in/a.png');
    await picture('in/out/made.png');
    await picture('else/b.png');
    await symlink(at('else'), at('in/link'));
    await symlink(at('in'), at('in/loop'));
    await symlink(at('nowhere.png'), at('in/gone.png'));
    const { items, closed } = await collect([at('in')], { recursive: true, out: at('in/out') });
    expect(items.map(({ relative }) => relative)).toEqual(['a.png', 'gone.png', 'link/b.png']);
    expect(closed).toEqual([]);
    const flat = await collect([at('in')], { recursive: false, out: at('out') });
    expect(flat.items.map(({ relative }) => relative)).toEqual(['a.png', 'gone.png']);
    expect(flat.closed.length).toBe(3);
  });

  it('knows a picture without its extension', async () => {
    await picture('in/a.png');
    await writeFile(at('in/unnamed'), await readFile(at('in/a.png')));
    await writeFile(at('in/empty'), '');
    const { items, others } = await collect([at('in')], { recursive: false, out: at('out') });
    expect(items.map(({ relative }) => relative)).toEqual(['a.png', 'unnamed']);
    expect(others).toEqual([{ path: at('in/empty'), relative: 'empty' }]);
  });
});

describe('shards', () => {
  test.each([
    ['2/8', {}, { index: 2, of: 8 }],
    [
      'auto',
      {
        SLURM_ARRAY_TASK_ID: '6',
        SLURM_ARRAY_TASK_MIN: '2',
        SLURM_ARRAY_TASK_MAX: '8',
        SLURM_ARRAY_TASK_STEP: '2',
        SLURM_ARRAY_TASK_COUNT: '4',
      },
      { index: 3, of: 4 },
    ],
    [
      'auto',
      { AWS_BATCH_JOB_ARRAY_INDEX: '0', AWS_BATCH_JOB_ARRAY_SIZE: '5' },
      { index: 1, of: 5 },
    ],
    ['auto/4', { JOB_COMPLETION_INDEX: '3' }, { index: 4, of: 4 }],
    ['auto/4', { PBS_ARRAY_INDEX: '4' }, { index: 4, of: 4 }],
    ['auto/4', { PBS_ARRAYID: '1' }, { index: 1, of: 4 }],
    [
      'auto',
      { SGE_TASK_ID: '5', SGE_TASK_FIRST: '1', SGE_TASK_LAST: '9', SGE_TASK_STEPSIZE: '2' },
      { index: 3, of: 5 },
    ],
  ])('%s in %j', (text, env, shard) => {
    expect(shardOf(text, env)).toEqual(shard);
  });

  test.each([
    ['auto', {}, /found no task/],
    ['auto', { SGE_TASK_ID: 'undefined' }, /found no task/],
    ['auto', { JOB_COMPLETION_INDEX: '3' }, /auto\/N/],
    ['auto/4', { PBS_ARRAY_INDEX: '0' }, /task 0 is not one of 1 to 4/],
    [
      'auto',
      {
        SLURM_ARRAY_TASK_ID: '1',
        SLURM_ARRAY_TASK_MIN: '1',
        SLURM_ARRAY_TASK_MAX: '7',
        SLURM_ARRAY_TASK_COUNT: '3',
      },
      /gaps/,
    ],
    ['0/4', {}, /I is 1 to N/],
    ['one', {}, /takes I\/N/],
  ])('refuses %s in %j', (text, env, message) => {
    expect(() => shardOf(text, env)).toThrow(message);
  });

  it('moves no picture when others come', () => {
    const names = Array.from({ length: 400 }, (_, i) => `folder/${i}.jpg`);
    const sizes = [1, 2, 3, 4].map(
      (shard) => names.filter((n) => shardWith(n, 4) === shard).length,
    );
    expect(sizes.reduce((a, b) => a + b)).toBe(400);
    for (const size of sizes) expect(size).toBeGreaterThan(60);
    // A name with precomposed characters is treated like the same name with decomposed characters.
    expect(shardWith('\u00fc', 97)).toBe(shardWith('u\u0308', 97));
  });
});
