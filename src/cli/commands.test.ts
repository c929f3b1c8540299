import { spawnSync } from 'node:child_process';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { tinyCheckpoint } from '../../test/checkpoints/tiny.ts';
import { taggedPng } from '../../test/taggedPng.ts';
import { MODELS } from '../catalog/manifest.ts';
import { upscaleOnCpu } from '../engine/oracle/interpreter.ts';
import type { Rgba8Image } from '../image/image.ts';
import { NO_TAGS } from '../image/tags.ts';
import { readImage, writeImage } from '../node/images.ts';
import { chooseModel, PACKAGE_ROOT } from '../node/model.ts';
import { cropsCommand } from './crops-run.ts';
import { goldenCommand } from './golden-run.ts';
import { PHOTOS, TITLE } from './large-crops.ts';
import { autoWords } from './line.ts';
import { qualityCommand } from './quality-run.ts';
import { reportCommand } from './report-run.ts';
import { upscaleCommand } from './upscale.ts';

let folder: string;
const at = (name: string): string => join(folder, name);

/** Generates a smooth image that is not symmetric. */
function picture(width: number, height: number): Rgba8Image {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [(i >> 2) % width, Math.floor((i >> 2) / width)];
    data[i] = i % 4 === 3 ? 255 : 128 + 100 * Math.sin(x / 2 + y / 3 + (i % 4));
  }
  return { width, height, data };
}

let printed: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crispen-commands-'));
  await writeImage(at('in.png'), picture(6, 4));
  // The LR images (9 x 8) are half the size of the ground truths (19 x 17), rounded down.
  await mkdir(at('set/HR'), { recursive: true });
  await mkdir(at('set/LR_bicubic/X2'), { recursive: true });
  for (const name of ['b', 'a']) {
    await writeImage(at(`set/HR/${name}.png`), picture(19, 17));
    await writeImage(at(`set/LR_bicubic/X2/${name}x2.png`), picture(9, 8));
  }
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** Runs a command and collects the lines that it prints to stdout. */
async function run(
  command: (args: string[]) => Promise<number>,
  ...args: string[]
): Promise<number> {
  printed = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  return command([...args, '--device', 'cpu']);
}

const json = (): Record<string, unknown>[] => printed.map((line) => JSON.parse(line));

describe('crispen', () => {
  test('--model auto says what it chose, and what else there is', async () => {
    expect(
      await run(upscaleCommand, at('in.png'), at('auto.png'), '--model', 'auto', '--json'),
    ).toBe(0);
    const [line] = json();
    expect(line).toMatchObject({ model: 'a2n-photo-x2', passes: ['a2n-photo-x2'], scale: 2 });
    expect(line.auto).toMatchObject({ speed: 'best', others: ['pan-photo-x2'] });
    const { bestMs } = line.auto as { bestMs: number };
    expect(bestMs).toBeGreaterThan(0);
    expect(bestMs).toBeLessThan(3000);
    await run(upscaleCommand, at('in.png'), at('best.png'));
    expect(await readFile(at('auto.png'))).toEqual(await readFile(at('best.png')));
    await run(upscaleCommand, at('in.png'), at('auto.png'), '--model', 'auto');
    expect(printed.join('\n')).toMatch(/a2n-photo-x2.*\nThe fast choice would be pan-photo-x2\.$/);
    expect(autoWords({ speed: 'fast', bestMs: 9000, others: ['a', 'b'] })).toBe(
      'The best choice, a, then b, would take about 9 s here.',
    );
    await expect(
      run(upscaleCommand, at('in.png'), at('no.png'), '--model', 'auto', '--weights', at('w.pth')),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('writes what the engine computes and reports it', async () => {
    expect(
      await run(upscaleCommand, at('in.png'), at('out.png'), '--model', 'a2n-x2', '--json'),
    ).toBe(0);
    const { network, weights } = await chooseModel({ model: 'a2n-x2' });
    const expected = await upscaleOnCpu(network, weights, await readImage(at('in.png')));
    expect(await readImage(at('out.png'))).toEqual(expected.image);
    expect(json()).toEqual([
      {
        backend: 'cpu',
        adapter: null,
        auto: null,
        model: 'a2n-x2',
        scale: 2,
        networkScale: 2,
        passes: ['a2n-x2'],
        input: [6, 4],
        output: [12, 8],
        milliseconds: expect.any(Number),
        tiles: 1,
        tileSize: [6, 4],
        statistics: 'exact',
        approximate: false,
        precision: 'f32',
        threads: expect.any(Number),
        slow: false,
        recovered: [],
        depth: 8,
        colorSpace: 'srgb',
        animated: false,
        notes: [],
        assumptions: [],
      },
    ]);
  });

  test('keeps profile, 16 bits and, if told to, metadata', async () => {
    await writeFile(at('tiny.safetensors'), tinyCheckpoint(2));
    const samples = Uint16Array.from({ length: 400 * 2 * 3 }, (_, i) => {
      const x = Math.floor(i / 3) % 400;
      return [20_000 + 7 * x, 30_000 + 11 * x, 40_000 - 5 * x][i % 3];
    });
    const { icc } = await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } })
      .withIccProfile('p3')
      .png()
      .toBuffer()
      .then((file) => sharp(file).metadata());
    const stored = await sharp(samples, { raw: { width: 400, height: 2, channels: 3 } })
      .toColourspace('rgb16')
      .withExif({ IFD0: { Artist: 'somebody' } })
      .png()
      .toBuffer();
    const tags = { ...NO_TAGS, icc: Uint8Array.from(icc!) };
    // In some formats, a marker precedes the TIFF structure of the EXIF data.
    const { exif } = await sharp(stored).metadata();
    const file = await taggedPng(Uint8Array.from(stored), {
      ...tags,
      exif: Uint8Array.from(exif!.subarray(exif!.indexOf('II*'))),
    });
    await writeFile(at('deep.png'), file);
    const args = ['--weights', at('tiny.safetensors'), '--keep-metadata', '--json'];
    await run(upscaleCommand, at('deep.png'), at('deep-x2.png'), ...args);
    expect(json()[0]).toMatchObject({ depth: 16, colorSpace: 'display-p3', output: [800, 4] });
    const found = await sharp(at('deep-x2.png')).metadata();
    expect([found.depth, found.orientation ?? 1]).toEqual(['ushort', 1]);
    expect(found.icc!.equals(icc!)).toBe(true);
    expect(found.exif!.includes('somebody')).toBe(true);
    const raw = await sharp(at('deep-x2.png'), { ignoreIcc: true })
      .toColourspace('rgb16')
      .raw({ depth: 'ushort' })
      .toBuffer();
    const levels = new Set(
      new Uint16Array(raw.buffer, raw.byteOffset, 800 * 3).filter((_, i) => i % 3 === 1),
    );
    expect(levels.size).toBeGreaterThan(256);
    const as = ['--weights', at('tiny.safetensors'), '--format', 'avif', '--quality', '60'];
    await run(upscaleCommand, at('deep.png'), at('any.name'), ...as);
    const avif = await sharp(at('any.name')).metadata();
    expect([avif.format, avif.icc!.equals(icc!), avif.exif]).toEqual(['heif', true, undefined]);
    await expect(
      run(upscaleCommand, at('in.png'), at('bad.webp'), '--quality', '101'),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('takes a weight file whose scale only the option tells', async () => {
    await copyFile(`${PACKAGE_ROOT}public/models/a2n-x3.safetensors`, at('mine.safetensors'));
    const weights = at('mine.safetensors');
    await run(
      upscaleCommand,
      at('in.png'),
      at('x3.webp'),
      '--weights',
      weights,
      '--scale',
      '3',
      '--json',
    );
    expect(json()[0]).toMatchObject({ model: 'mine', scale: 3, output: [18, 12] });
  });

  test.each([
    [['--scale', '2.7'], ['pan-photo-x3'], 3, [16, 11]],
    [['--width', '9', '--model', 'a2n-x2'], ['a2n-x2'], 2, [9, 6]],
    [['--height', '10', '--model', 'a2n-photo-x2'], ['a2n-photo-x4'], 4, [15, 10]],
    [['--fit', '3x3'], [], 1, [3, 2]],
    [['--scale', '4', '--method', 'lanczos'], [], 1, [24, 16]],
  ])('%j: passes %j, x%i, %j', async (args, passes, networkScale, output) => {
    await run(upscaleCommand, at('in.png'), at('any.png'), ...args, '--json');
    expect(json()[0]).toMatchObject({ model: passes[0] ?? null, passes, networkScale, output });
    const { width, height } = await readImage(at('any.png'));
    expect([width, height]).toEqual(output);
  });

  test('runs a weight file as often as its scale takes, and reduces', async () => {
    await copyFile(`${PACKAGE_ROOT}public/models/a2n-x4.safetensors`, at('mine-x4.safetensors'));
    const args = ['--weights', at('mine-x4.safetensors'), '--json', '--scale'];
    await run(upscaleCommand, at('in.png'), at('less.png'), ...args, '2');
    expect(json()[0]).toMatchObject({ passes: ['mine-x4'], networkScale: 4, output: [12, 8] });
  });

  test('gives the same pixels by any number of threads', async () => {
    for (const threads of ['1', '2']) {
      const args = [at('in.png'), at(`threads-${threads}.png`), '--threads', threads, '--json'];
      expect(await run(upscaleCommand, ...args)).toBe(0);
      expect(json()).toMatchObject([{ threads: Number(threads), slow: false }]);
    }
    expect(await readFile(at('threads-2.png'))).toEqual(await readFile(at('threads-1.png')));
    for (const threads of ['0', '9', 'all']) {
      const wrong = run(upscaleCommand, at('in.png'), at('none.png'), '--threads', threads);
      await expect(wrong).rejects.toMatchObject({ message: expect.stringContaining('1 to 8') });
    }
  });

  describe('restores', () => {
    // The network in this weight file adds the output of two small convolutions to the image.
    const weights = () => at('tiny-x1.safetensors');
    const task = ['--task', 'denoise', '--json'];
    beforeAll(() => writeFile(weights(), tinyCheckpoint(1)));

    test.each([
      [[], 1, [6, 4], []],
      [['--scale', '2'], 2, [12, 8], ['a2n-photo-x2']],
      [['--width', '15'], 3, [15, 10], ['pan-photo-x3']],
      [['--scale', '0.5'], 1, [3, 2], []],
    ])('at %j by x%i to %j, then %j', async (args, networkScale, output, after) => {
      const passes = ['tiny-x1', ...after];
      const out = at('any.png');
      await run(upscaleCommand, at('in.png'), out, '--weights', weights(), ...task, ...args);
      expect(json()[0]).toMatchObject({ model: 'tiny-x1', passes, networkScale, output });
      const { width, height } = await readImage(out);
      expect([width, height]).toEqual(output);
    });

    test('the size, the alpha and the 16 bits of an image stay', async () => {
      const [width, height] = [7, 5];
      const samples = Uint16Array.from({ length: width * height * 4 }, (_, i) => 800 + 431 * i);
      const raw = { width, height, channels: 4 } as const;
      await sharp(samples, { raw }).toColourspace('rgb16').png().toFile(at('deep.png'));
      await run(upscaleCommand, at('deep.png'), at('any.png'), '--weights', weights(), ...task);
      expect(json()[0]).toMatchObject({ output: [width, height], depth: 16 });
      const deep = await sharp(at('any.png')).toColourspace('rgb16').raw({ depth: 'ushort' });
      const { data, info } = await deep.toBuffer({ resolveWithObject: true });
      expect([info.width, info.height]).toEqual([width, height]);
      const result = new Uint16Array(data.buffer, data.byteOffset, samples.length);
      const alpha = (_: number, i: number) => i % 4 === 3;
      expect(result.filter(alpha)).toEqual(samples.filter(alpha));
      expect(result).not.toEqual(samples);
      expect(new Set(result.map((value) => value >> 8)).size).toBeGreaterThan(8);
    });

    test.each([
      ['INVALID_INPUT', ['--task', 'sharpen']],
      ['INVALID_INPUT', ['--task', 'denoise', '--method', 'lanczos']],
      ['INVALID_INPUT', ['--task', 'denoise', '--model', 'a2n-x2']],
      ['MODEL_UNSUPPORTED', ['--task', 'upscale', '--weights', 'tiny-x1.safetensors']],
    ])('refuses with %s %j', async (code, args) => {
      const [last] = args.slice(-1).map((arg) => (arg === 'tiny-x1.safetensors' ? at(arg) : arg));
      const given = [...args.slice(0, -1), last];
      await expect(run(upscaleCommand, at('in.png'), at('no.png'), ...given)).rejects.toMatchObject(
        { code },
      );
    });
  });

  test.each([
    ['MODEL_UNKNOWN', ['--model', 'nonesuch']],
    ['INVALID_INPUT', ['--scale', '17']],
    ['INVALID_INPUT', ['--scale', 'large']],
    ['INVALID_INPUT', ['--scale', '2', '--width', '12']],
    ['INVALID_INPUT', ['--width', '0']],
    ['INVALID_INPUT', ['--height', '500']],
    ['INVALID_INPUT', ['--fit', '12']],
    ['INVALID_INPUT', ['--weights', 'nothing.safetensors']],
    ['MODEL_CORRUPT', ['--weights', 'empty']],
    ['MODEL_UNSUPPORTED', ['--weights', 'x4', '--model', 'a2n-x2']],
  ])('fails with %s for %j and leaves nothing behind', async (code, args) => {
    await writeFile(at('empty'), '');
    await copyFile(`${PACKAGE_ROOT}public/models/a2n-x4.safetensors`, at('x4'));
    const before = await readdir(folder);
    const inFolder = args.map((arg) => (['empty', 'x4'].includes(arg) ? at(arg) : arg));
    await expect(
      run(upscaleCommand, at('in.png'), at('no.png'), ...inFolder),
    ).rejects.toMatchObject({ code });
    expect(await readdir(folder)).toEqual(before);
  });

  test('an aborted run leaves nothing behind', async () => {
    const args = [at('in.png'), at('no.png'), '--device', 'cpu'];
    await expect(upscaleCommand(args, AbortSignal.abort())).rejects.toMatchObject({
      code: 'ABORTED',
    });
    expect(await readdir(folder)).not.toContain('no.png');
  });

  test('exit codes and words of the real command', () => {
    const crispen = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['scripts/run.mjs', 'src/cli/crispen.ts', ...args],
        {
          cwd: PACKAGE_ROOT,
          encoding: 'utf8',
          env: { ...process.env, VK_DRIVER_FILES: at('no-driver.json') },
        },
      );
      return { status, stdout, stderr };
    };
    expect(crispen('--help')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('--scale'),
    });
    expect(crispen('only-one.png')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^INVALID_INPUT: Name one input.*\n.*--help/),
    });
    expect(crispen('a.png', 'b.png', '--nonsense')).toMatchObject({ status: 2 });
    expect(crispen(at('nothing.png'), at('out.png'), '--device', 'cpu')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^INVALID_INPUT: .*nothing\.png cannot be read/),
    });
    if (process.platform !== 'linux') return; // other systems need no Vulkan driver
    expect(crispen(at('in.png'), at('no.png'), '--device', 'gpu')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^NO_WEBGPU: .*\n.*chromium/m),
    });
    // Without a GPU, the CPU runs the network.
    expect(crispen(at('in.png'), at('cpu.png'), '--model', 'a2n-x2')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/12 x 8, a2n-x2, .* on the CPU/),
    });
  });
});

describe('quality', () => {
  const KEYS = ['image', 'scale', 'model', 'psnr', 'ssim', 'bicubicPsnr', 'bicubicSsim'];
  const args = (...more: string[]): string[] => ['--dataset', at('set'), '--json', ...more];

  test('prints one line per image and the mean', async () => {
    expect(await run(qualityCommand, ...args('--model', 'a2n-x2'))).toBe(0);
    const lines = json();
    expect(lines.map(({ image }) => image)).toEqual(['a', 'b', 'mean']);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(KEYS);
      expect(line).toMatchObject({ scale: 2, model: 'a2n-x2', psnr: lines[0].psnr });
      expect(line.psnr).toBeGreaterThan(5);
      expect(line.bicubicPsnr).toBeGreaterThan(5);
      expect(line.ssim).toBeLessThan(1);
    }
  });

  test('takes an interrupted run up again, for the same weights and options only', async () => {
    const resume = ['--resume', at('results.jsonl')];
    await run(qualityCommand, ...args('--model', 'a2n-x2', '--images', '1', ...resume));
    const stored = JSON.parse(await readFile(at('results.jsonl'), 'utf8'));
    // If the next run prints this made-up PSNR, it has reused the stored result instead of
    // measuring the image again.
    await writeFile(
      at('results.jsonl'),
      `${JSON.stringify({ ...stored, psnr: 99 })}\n{"image": "b`,
    );
    await run(qualityCommand, ...args('--model', 'a2n-x2', ...resume));
    const [a, b, mean] = json();
    expect(a.psnr).toBe(99);
    expect(b.psnr).toBe(stored.psnr);
    expect(mean.psnr).toBeCloseTo((99 + stored.psnr) / 2, 9);
    for (const other of [
      ['--model', 'a2n-photo-x2'],
      ['--model', 'a2n-x2', '--input-range', '200'],
      ['--model', 'a2n-x2', '--edge', 'wrap'],
      ['--model', 'a2n-x2', '--tile', '64'],
      ['--model', 'a2n-x2', '--memory', '900'],
    ]) {
      await run(qualityCommand, ...args(...other, '--images', '1', ...resume));
      expect(json()[0].psnr).not.toBe(99);
    }
  });

  test('measures a network without a part of its weights', async () => {
    const one = args('--model', 'a2n-x2', '--images', '1');
    await run(qualityCommand, ...one);
    const [whole] = json();
    await run(qualityCommand, ...one, '--without', 'attention\\.k4|non_attention');
    const [less] = json();
    expect(less.model).toContain('without');
    expect(less.psnr).not.toBeCloseTo(whole.psnr as number, 2);
    for (const pattern of ['no_such_layer', '(']) {
      await expect(run(qualityCommand, ...one, '--without', pattern)).rejects.toThrow(/--without/);
    }
  });

  test('measures restoration beside its input', async () => {
    await writeFile(at('tiny-x1.safetensors'), tinyCheckpoint(1));
    const given = ['--dataset', at('set'), '--weights', at('tiny-x1.safetensors'), '--jpeg', '20'];
    await run(qualityCommand, ...given, '--json');
    const lines = json();
    expect(lines.map(({ image, scale }) => [image, scale])).toEqual(
      ['a', 'b', 'mean'].map((image) => [image, 1]),
    );
    const { psnr, bicubicPsnr } = lines[2] as Record<string, number>;
    expect(bicubicPsnr).toBeGreaterThan(20);
    expect(bicubicPsnr).toBeLessThan(50);
    expect(psnr).not.toBe(bicubicPsnr);
    await run(qualityCommand, ...given);
    expect(printed[0]).toMatch(/^image +PSNR +SSIM +input +PSNR +SSIM$/);
  });

  test('measures on worn input and keeps it apart from clean', async () => {
    const resume = ['--resume', at('worn.jsonl')];
    const model = ['--model', 'a2n-x2', '--images', '1'];
    await run(qualityCommand, ...args(...model, ...resume));
    const [clean] = json();
    await run(qualityCommand, ...args(...model, ...resume, '--jpeg', '20'));
    const [jpeg] = json();
    await run(qualityCommand, ...args(...model, ...resume, '--noise', '30'));
    const [noisy] = json();
    const figures = [clean, jpeg, noisy].map(({ bicubicPsnr }) => bicubicPsnr);
    expect(new Set(figures).size).toBe(3);
    // A resumed run must reuse the stored result for the same degradation (noise of 30), not the
    // result for clean or JPEG input.
    await run(qualityCommand, ...args(...model, ...resume, '--noise', '30'));
    expect(json()[0]).toEqual(noisy);
  });

  test.each([
    ['no data set', ['--json']],
    ['a folder of another layout', ['--dataset', '.']],
    ['a scale without LR images', ['--dataset', 'set', '--scale', '3']],
  ])('%s: INVALID_INPUT', async (_, given) => {
    const paths = given.map((arg) => (arg === 'set' ? at('set') : arg));
    await expect(run(qualityCommand, ...paths)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('quality:report', () => {
  test('writes a table of the models on every set, worn input among it', async () => {
    await mkdir(at('shared/images'), { recursive: true });
    await cp(at('set'), at('shared/images/Tiny'), { recursive: true });
    vi.stubEnv('CRISPEN_SHARED', at('shared'));
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    const models = ['--models', 'a2n-x2,a2n-photo-x2', '--sets', 'Tiny'];
    const files = ['--out', at('QUALITY.md'), '--resume', at('report.jsonl')];
    expect(await run(reportCommand, ...models, ...files)).toBe(0);
    vi.unstubAllEnvs();
    const text = await readFile(at('QUALITY.md'), 'utf8');
    const row = (start: string) => text.split('\n').filter((line) => line.startsWith(start));
    expect(row('| a2n-x2 |')[0]).toMatch(/^\| a2n-x2 \| [\d.]+ \/ -?[\d.]+ \| [\d.]+ \/ /);
    expect(row('| a2n-x2 |')[0]).toContain('not available');
    expect(row('| a2n-photo-x2 |').map((line) => line.split(' | ')[1])).toEqual(
      expect.arrayContaining(['none', '80', '60', '40']),
    );
    expect(said).toHaveBeenLastCalledWith(expect.stringContaining('no crops'));
  });

  test('--check compares each figure with the catalog, and fails if one is off', async () => {
    // This set has the name of a set in the catalog, but other images.
    await cp(at('set'), at('other/images/Set5'), { recursive: true });
    vi.stubEnv('CRISPEN_SHARED', at('other'));
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const entry = MODELS.find(({ id }) => id === 'pan-x2');
    if (!entry) throw new Error('no pan-x2');
    const check = ['--check', '--models', 'pan-x2', '--sets', 'Set5'];
    expect(await run(reportCommand, ...check)).toBe(1);
    const [line] = printed;
    const measured = Number(/: (-?[\d.]+) dB/.exec(line)?.[1]);
    const off = Math.abs(measured - entry.quality.set5).toFixed(3);
    expect(line).toMatch(new RegExp(`^pan-x2 Set5: .* catalog 37\\.\\d{3}: differs by ${off}$`));
    for (const [difference, code] of [
      [0.0194, 0],
      [0.0206, 1],
    ]) {
      vi.spyOn(entry.quality, 'set5', 'get').mockReturnValue(measured + difference);
      expect(await run(reportCommand, ...check)).toBe(code);
    }
    await cp(at('set'), at('other/images/Tiny'), { recursive: true });
    const unknown = run(reportCommand, '--check', '--models', 'pan-x2', '--sets', 'Tiny');
    await expect(unknown).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    vi.unstubAllEnvs();
  });

  test('a set that is not there: INVALID_INPUT', async () => {
    await expect(run(reportCommand, '--sets', 'None')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});

describe('quality:crops', () => {
  test('draws every photo four times as large beside a plain enlargement', async () => {
    const other = ['# Figures', '', TITLE, '', 'old', '', '## Crops', '', 'kept', ''].join('\n');
    await writeFile(at('QUALITY.md'), other);
    expect(await run(cropsCommand, '--out', at('QUALITY.md'))).toBe(0);
    const text = await readFile(at('QUALITY.md'), 'utf8');
    expect(text).toMatch(/^# Figures\n\n## Four times/);
    expect(text).not.toContain('old');
    expect(text).toMatch(/\n\n## Crops\n\nkept\n$/);
    const files = [...text.matchAll(/\]\((docs\/quality\/[\w-]+\.webp)\)/g)].map(
      ([, file]) => file,
    );
    expect(files).toHaveLength(5);
    for (const file of files) {
      const name = file.replace(/^.*\/|-large\.webp$/g, '');
      const photo = await sharp(join(PHOTOS, `${name}.png`)).metadata();
      const [width, height] = [photo.width * 4, photo.height * 4];
      const picture = sharp(at(file));
      // The columns are a plain enlargement of the photo, the default model's result and the sharp
      // model's result.
      expect(await picture.metadata()).toMatchObject({ width: 3 * width + 2 * 8, height });
      const column = (i: number) =>
        sharp(at(file))
          .extract({ left: i * (width + 8), top: 0, width, height })
          .removeAlpha()
          .raw()
          .toBuffer();
      const [plain, ...made] = await Promise.all([0, 1, 2].map(column));
      // The results must be similar to the plain enlargement but not identical. The sharp model's
      // result must differ from the plain enlargement more than the default model's result does.
      const differences = made.map(
        (result) =>
          plain.reduce((sum, value, i) => sum + Math.abs(value - result[i]), 0) / plain.length,
      );
      expect(differences[0]).toBeGreaterThan(0.3);
      expect(differences[0]).toBeLessThan(8);
      expect(differences[1]).toBeGreaterThan(differences[0]);
      expect(differences[1]).toBeLessThan(10);
    }
    // The QUALITY.md in the repository must refer to the same image files as the one written here.
    const shown = await readFile(join(PACKAGE_ROOT, 'QUALITY.md'), 'utf8');
    for (const file of files) expect(shown).toContain(file);
    await writeFile(at('QUALITY.md'), '# Figures\n');
    await expect(run(cropsCommand, '--out', at('QUALITY.md'))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });
});

describe('golden', () => {
  test('compares a case and fails beyond the tolerance', async () => {
    const args = ['--cases', 'tiny_a2n_x4_8x8', '--json'];
    expect(await run(goldenCommand, ...args)).toBe(0);
    expect(json().length).toBeGreaterThan(30);
    expect(Object.keys(json()[0])).toEqual(['case', 'tensor', 'maxAbs', 'maxRel']);
    expect(await run(goldenCommand, ...args, '--tolerance', '1e-12')).toBe(1);
  });

  test('a pattern that matches nothing is a usage error', async () => {
    await expect(run(goldenCommand, '--cases', 'none*')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
  });

  test('a case of an unknown network is listed as missing', async () => {
    const header = JSON.stringify({ __metadata__: { model: 'unheard-of', scale: '2' } });
    await mkdir(at('golden'));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await writeFile(at('golden/other.safetensors'), Buffer.concat([length, Buffer.from(header)]));
    vi.stubEnv('CRISPEN_SHARED', folder);
    expect(await run(goldenCommand, '--cases', 'other', '--json')).toBe(0);
    vi.unstubAllEnvs();
    expect(json()).toEqual([{ case: 'other', missing: 'unheard-of' }]);
  });
});
