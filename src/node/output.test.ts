import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { FORMATS } from '../codecs/formats.ts';
import type { Rgba8Image } from '../image/image.ts';
import { checkFormat, formatOf, OUTPUT_FORMATS, readPicture, writeImage } from './images.ts';
import { PACKAGE_ROOT } from './model.ts';
import { findOutput, HOST, openSink, writeOutput } from './output.ts';

const guess = vi.hoisted(() => ({ name: null as string | null }));
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  const randomBytes = (size: number) =>
    guess.name === null ? crypto.randomBytes(size) : Buffer.from(guess.name.repeat(size));
  return { ...crypto, randomBytes };
});

let root: string;
let folder: string;
let count = 0;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  root = await fs.mkdtemp(join(tmpdir(), 'crispen-output-'));
});
beforeEach(async () => {
  folder = join(root, String(count++));
  await fs.mkdir(join(folder, 'sub'), { recursive: true });
});
afterAll(() => fs.rm(root, { recursive: true }));

const data = Uint8ClampedArray.from({ length: 8 * 6 * 4 }, (_, i) => (i % 4 === 3 ? 255 : i));
const picture: Rgba8Image = { width: 8, height: 6, data };
const formatAt = async (path: string) => (await sharp(readFileSync(path)).metadata()).format;

test('a place is tried with a file, unless that is known to work', async () => {
  await fs.utimes(folder, 1, 1);
  const changed = async () => (await fs.stat(folder)).mtimeMs !== 1000;
  await findOutput(at('new.png'), undefined, { tries: false });
  expect(await changed()).toBe(false);
  await findOutput(at('new.png'));
  expect(await changed()).toBe(true);
});

describe('an output that exists', () => {
  test.each(['png', 'jpeg', 'webp', 'avif'] as const)('%s follows links', async (format) => {
    const written = format === 'avif' ? 'heif' : format;
    writeFileSync(at('old'), 'old');
    await fs.symlink('old', at('link'));
    await fs.symlink('../link', at('sub/second'));
    await writeImage(at('sub/second'), picture, { format });
    expect(await formatAt(at('old'))).toBe(written);
    // Links to a file that does not exist yet are followed too.
    await fs.symlink('sub/new', at('dangling'));
    await fs.symlink('../dangling', at('sub/third'));
    await writeImage(at('sub/third'), picture, { format });
    expect(await formatAt(at('sub/new'))).toBe(written);
    for (const name of ['link', 'sub/second', 'dangling', 'sub/third']) {
      expect((await fs.lstat(at(name))).isSymbolicLink()).toBe(true);
    }
    expect((await fs.readdir(folder)).sort()).toEqual(['dangling', 'link', 'old', 'sub']);
  });

  test('keeps permissions, owner and hard links', async () => {
    writeFileSync(at('own.png'), 'old');
    chmodSync(at('own.png'), 0o640);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await fs.chown(at('own.png'), 1234, 2345);
    await writeImage(at('own.png'), picture);
    const { mode, uid, gid } = await fs.stat(at('own.png'));
    expect(mode & 0o777).toBe(0o640);
    if (isRoot) expect([uid, gid]).toEqual([1234, 2345]);
    writeFileSync(at('one.png'), 'old');
    await fs.link(at('one.png'), at('other.png'));
    await writeImage(at('one.png'), picture);
    expect(await formatAt(at('other.png'))).toBe('png');
    expect((await fs.readdir(folder)).sort()).toEqual(['one.png', 'other.png', 'own.png', 'sub']);
  });

  test('stays as it was when the work fails', async () => {
    writeFileSync(at('old.png'), 'old');
    const sink = await openSink(await findOutput(at('old.png')));
    await sink.write(Uint8Array.of(1, 2, 3));
    expect((await fs.readdir(folder)).length).toBe(3);
    await sink.abort(null);
    expect(readFileSync(at('old.png'), 'utf8')).toBe('old');
    expect((await fs.readdir(folder)).sort()).toEqual(['old.png', 'sub']);
  });

  test('a pipe gets the bytes and stays a pipe', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const reader = fs.readFile(at('pipe'));
    const large = crypto.getRandomValues(new Uint8Array(2 ** 16)).slice();
    const bytes = new Uint8Array(2 ** 20).map((_, i) => large[i % large.length] ^ (i >> 16));
    const output = await findOutput(at('pipe'));
    expect([output.kind, formatOf(output)]).toEqual(['pipe', 'png']);
    await writeOutput(output, bytes);
    expect((await reader).equals(bytes)).toBe(true);
    expect((await fs.lstat(at('pipe'))).isFIFO()).toBe(true);
    // The pipe has no reader now, so the call waits for one until the signal aborts it.
    await expect(writeOutput(output, bytes, AbortSignal.timeout(100))).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  test.skipIf(!existsSync('/dev/full'))('a device is written to', async () => {
    // The test writes through a link, because replacing the device itself would break other
    // programs.
    await fs.symlink('/dev/full', at('full'));
    await expect(writeImage(at('full'), picture, { format: 'webp' })).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      hint: 'The disk is full.',
    });
    expect((await fs.stat(at('full'))).isCharacterDevice()).toBe(true);
  });
});

describe('before the work', () => {
  test.each([
    ['a folder', 'sub', /is a folder/],
    ['a folder that is not there', 'no/out.png', /folder of .* does not exist/],
    ['a folder that is a file', 'in.png/out.png', /folder of .* does not exist/],
    ['a name too long', `${'a'.repeat(252)}.png`, /too long/],
    ['no file in a folder', 'out.png/', /no name of a file/],
    ['a circle of links', 'loop.png', /leads back to itself/],
    ['a socket', 'socket', /is a socket/],
    ['the input', './in.png', /overwrite the input/],
    ['the input by a link', 'symbolic.png', /overwrite the input/],
    ['the input by a hard link', 'hard.png', /overwrite the input/],
  ])('%s is refused', async (_, name, message) => {
    writeFileSync(at('in.png'), 'x');
    await fs.symlink('in.png', at('symbolic.png'));
    await fs.link(at('in.png'), at('hard.png'));
    await fs.symlink('loop.png', at('loop.png'));
    const server = createServer().listen(at('socket'));
    await new Promise((done) => server.once('listening', done));
    const error = await findOutput(`${folder}/${name}`, at('in.png')).catch((thrown) => thrown);
    server.close();
    expect(error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
    expect(error.hint).not.toBe('');
  });

  test.skipIf(!existsSync('/sys/kernel'))('a place that may not be written to', async () => {
    await expect(findOutput('/sys/kernel/out.png')).rejects.toMatchObject({ code: 'WRITE_FAILED' });
  });

  test('an unknown extension', async () => {
    const output = await findOutput(at('out.xyz'));
    expect(() => formatOf(output)).toThrow(/no output format ".xyz"/);
    expect(await fs.readdir(folder)).toEqual(['sub']);
  });

  test.each(['jpeg', 'webp', 'avif'] as const)('%s: the limit is the encoder’s', async (format) => {
    const limit = FORMATS[`image/${format}`].maxSide;
    const size = (width: number) => ({ width, height: 1 });
    const encoded = (width: number) =>
      sharp({ create: { ...size(width), channels: 3, background: 'red' } })
        .toFormat(format)
        .toBuffer();
    expect(() => checkFormat(format, size(limit))).not.toThrow();
    await expect(encoded(limit)).resolves.toBeDefined();
    expect(() => checkFormat(format, size(limit + 1))).toThrow(`${limit + 1} x 1 pixels`);
    await expect(encoded(limit + 1)).rejects.toThrow();
  });

  test('no format but PNG holds more than memory', () => {
    const size = { width: 16384, height: 16385 };
    for (const format of OUTPUT_FORMATS) {
      const check = () => checkFormat(format, size);
      if (format === 'png') expect(check).not.toThrow();
      else expect(check).toThrow(expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }));
    }
  });
});

describe('names', () => {
  test.each([`${'a'.repeat(247)}.png`, `${'a'.repeat(248)}.jpg`, `${'图'.repeat(83)}.png`])(
    'as long as they may be: %s',
    async (name) => {
      await writeImage(at(name), picture);
      expect((await readPicture(at(name))).image.width).toBe(8);
      expect(await fs.readdir(folder)).toHaveLength(2);
    },
  );

  test('of temporary files differ and tell only the process', async () => {
    const output = await findOutput(at('out.png'));
    const sinks = [await openSink(output), await openSink(output)];
    const names = (await fs.readdir(folder)).filter((name) => name !== 'sub');
    expect(names).toHaveLength(2);
    for (const name of names) expect(name).toMatch(/^\.crispen-[0-9a-f]{6}-\d+-[0-9a-f]{24}\.tmp$/);
    for (const sink of sinks) await sink.abort(null);
    expect(await fs.readdir(folder)).toEqual(['sub']);
  });

  test('one that was guessed leads nowhere', async () => {
    writeFileSync(at('victim'), 'mine');
    await fs.symlink('victim', at(`.crispen-${HOST}-${process.pid}-${'61'.repeat(12)}.tmp`));
    guess.name = 'a';
    await expect(writeImage(at('out.png'), picture)).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    });
    guess.name = null;
    expect(readFileSync(at('victim'), 'utf8')).toBe('mine');
    expect(existsSync(at('out.png'))).toBe(false);
  });
});

describe('the real command', () => {
  const start = (args: string[]) =>
    spawn(process.execPath, ['scripts/run.mjs', 'src/cli/crispen.ts', ...args], {
      cwd: PACKAGE_ROOT,
    });
  /** Runs the command with a closed standard output, as with "| head -c 0". */
  const unread = (args: string[]) => {
    const child = start(args);
    child.stdout.destroy();
    return ended(child);
  };
  async function ended(child: ReturnType<typeof start>, input?: Buffer) {
    child.stdin.end(input);
    const [out, err]: Buffer[][] = [[], []];
    child.stdout.on('data', (part) => out.push(part));
    child.stderr.on('data', (part) => err.push(part));
    const code = await new Promise((done) => child.on('close', done));
    return { code, out: Buffer.concat(out), err: Buffer.concat(err).toString() };
  }

  test('from standard input to standard output, which is the picture alone', async () => {
    await writeImage(at('-h'), picture, { format: 'png' });
    const input = readFileSync(at('-h'));
    const lanczos = ['--method', 'lanczos', '--device', 'cpu'];
    const [named, linked, help, words, lost] = await Promise.all([
      ended(start(['-', '-', '--format', 'webp', '--json', ...lanczos]), input),
      ended(start([at('-h'), '/dev/stdout', ...lanczos])),
      ended(start([...lanczos, '--', '-h', at('out.png')])),
      unread(['--help']),
      unread([at('-h'), '-', ...lanczos]),
    ]);
    expect(words).toMatchObject({ code: 0, err: '' });
    expect(lost).toMatchObject({ code: 1, err: expect.stringContaining('WRITE_FAILED') });
    expect(await sharp(named.out).metadata()).toMatchObject({ format: 'webp', width: 16 });
    expect(JSON.parse(named.err)).toMatchObject({ output: [16, 12] });
    expect(await sharp(linked.out).metadata()).toMatchObject({ format: 'png', width: 16 });
    expect(linked.err).toContain('16 x 12');
    // After "--", -h is a file name, and there is no such file in the working directory.
    expect(help).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^INVALID_INPUT: -h cannot/),
    });
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const)('%s leaves no temporary file, exit code %i', async (signal, code) => {
    // This image takes so long that the signal arrives while the command is still running.
    const side = 512;
    const flat = new Uint8ClampedArray(side * side * 4).fill(128);
    await writeImage(at('in.png'), { width: side, height: side, data: flat });
    const args = [at('in.png'), at('out.png'), '--model', 'a2n-x2', '--device', 'cpu'];
    const child = start(args);
    const result = ended(child);
    // To test whether it can write, the command first creates and removes a temporary file. The
    // loop waits until it finds the same file twice in a row. That file is the unfinished output.
    for (let last: string | undefined; ; ) {
      const found = (await fs.readdir(folder)).find((name) => name.endsWith('.tmp'));
      if (found !== undefined && found === last) break;
      if (child.exitCode !== null) throw new Error(`ended by itself: ${(await result).err}`);
      last = found;
      await new Promise((done) => setTimeout(done, 100));
    }
    child.kill(signal);
    expect(await result).toMatchObject({ code, err: expect.stringContaining('ABORTED') });
    expect((await fs.readdir(folder)).sort()).toEqual(['in.png', 'sub']);
  });
});
