import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import digests from '../../test/checkpoints/digests.json' with { type: 'json' };
import {
  concat,
  dict,
  type ForgedTensor,
  floats,
  global,
  int,
  reduce,
  tensor,
  text,
  torchLegacy,
  torchZip,
} from '../../test/checkpoints/forge.ts';
import { readWeights } from './read.ts';
import type { TensorMap } from './tensor.ts';
import { writeSafetensors } from './writeSafetensors.ts';

const MIB = 2 ** 20;
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const committed = join(root, 'test/checkpoints');
const shared = process.env.CRISPEN_SHARED ?? join(root, '../shared');
const official = join(shared, 'weights/official');
const checkpoints = join(shared, 'weights/checkpoints');
for (const folder of [official, checkpoints]) {
  if (!existsSync(folder)) console.warn(`SKIPPED: no ${folder}; set CRISPEN_SHARED to test it.`);
}

const corrupt = expect.objectContaining({ code: 'MODEL_CORRUPT' });
const unsupported = expect.objectContaining({ code: 'MODEL_UNSUPPORTED' });

function digest(tensors: TensorMap): string {
  const hash = createHash('sha256');
  for (const name of [...tensors.keys()].sort()) {
    const { dtype, shape, bytes } = tensors.get(name)!;
    hash.update(`${name} ${dtype} ${shape.join(',')}\n`).update(bytes);
  }
  return hash.digest('hex');
}

/** The expected `wrapper` of each file, by file name. It is empty for files that are not listed. */
const WRAPPERS: Readonly<Record<string, string>> = {
  compact_x4_params_zip: 'params/',
  compact_x2_params_and_ema_legacy: 'params_ema/',
  compact_x3_params_bf16_zip: 'params/',
  compact_x2_params_views_zip: 'params/',
  compact_x2_params_views_legacy: 'params/',
  compact_x2_orig_mod_legacy: 'params/_orig_mod.',
  span_x2_train_params_ema_zip: 'params_ema/',
  span_x2_evalonly_params_zip: 'params/',
  span_x2_nonorm_state_dict_module_legacy: 'state_dict/module.',
  rrdb_x4_bodykeys_half_params_ema_zip: 'params_ema/',
  rrdb_x2_unshuffle_params_ema_zip: 'params_ema/',
  rrdb_x1_unshuffle_half_params_legacy: 'params/',
  rrdb_x1_oldkeys_module_netG_legacy: 'module.netG.',
  rrdb_x8_oldkeys_half_model_zip: 'model/',
  edsr_x3_model_state_dict_parameters_zip: 'model_state_dict/',
  edsr_basicsr_x4_params_zip: 'params/',
};

describe('seeded checkpoints, against their goldens', () => {
  const files = Object.keys(digests) as (keyof typeof digests)[];
  for (const file of files) {
    const folder = [committed, checkpoints].find((place) => existsSync(join(place, file)));
    it.skipIf(folder === undefined)(file, async () => {
      const bytes = readFileSync(join(folder!, file));
      const { format, tensors, wrapper } = await readWeights(bytes);
      expect(format).toBe(file.includes('_zip') ? 'torch-zip' : 'torch-legacy');
      expect(wrapper).toBe(WRAPPERS[file.replace(/\.\w+$/, '')] ?? '');
      expect(tensors.size).toBe(digests[file].tensors);
      expect(digest(tensors)).toBe(digests[file].sha256);
    });
  }
  it('has some of both formats in this repository', () => {
    const here = readdirSync(committed).filter((file) => Object.hasOwn(digests, file));
    expect(here.filter((file) => file.includes('_zip')).length).toBeGreaterThan(3);
    expect(here.filter((file) => file.includes('_legacy')).length).toBeGreaterThan(3);
  });
});

describe.skipIf(!existsSync(official))('the authors\u2019 checkpoints, against safetensors', () => {
  it.each([
    ['aan_x2.pt', 'torch-legacy', 'a2n_x2_f32'],
    ['aan_x3.pt', 'torch-legacy', 'a2n_x3_f32'],
    ['a2n_x2_zip.pt', 'torch-zip', 'a2n_x2_f32'],
    ['PANx2_DF2K.pth', 'torch-legacy', 'pan_x2_f32'],
    ['PANx3_DF2K.pth', 'torch-legacy', 'pan_x3_f32'],
    ['PANx4_DF2K.pth', 'torch-legacy', 'pan_x4_f32'],
    ['pan_x4_legacy_resave.pt', 'torch-legacy', 'pan_x4_f32'],
    ['pan_x4_zip.pt', 'torch-zip', 'pan_x4_f32'],
  ])('%s', async (file, format, twin) => {
    const bytes = readFileSync(join(official, file));
    const weights = await readWeights(bytes);
    const expected = await readWeights(readFileSync(join(official, `${twin}.safetensors`)));
    expect(expected.format).toBe('safetensors');
    expect(weights.format).toBe(format);
    expect(weights.tensors.size).toBeGreaterThan(100);
    expect([...weights.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort());
    for (const [name, tensor] of weights.tensors) {
      const other = expected.tensors.get(name)!;
      expect([name, tensor.dtype, tensor.shape]).toEqual([name, other.dtype, other.shape]);
      expect(Buffer.compare(tensor.bytes, other.bytes), name).toBe(0);
      expect(tensor.bytes.buffer, 'a view of the file').toBe(bytes.buffer);
    }
  });
});

/**
 * Creates three checkpoints: an uncompressed zip, a deflated zip and a legacy file. Each contains
 * one tensor, `w`.
 */
function forge(options: ForgedTensor, data: Uint8Array): [string, Uint8Array][] {
  const value = dict({ w: tensor(options) });
  const key = options.key ?? '0';
  return [
    ['zip', torchZip(value, { [key]: data })],
    ['deflated zip', torchZip(value, { [key]: data }, { deflate: true })],
    ['legacy', torchLegacy(value, [{ key, count: options.count, data }])],
  ];
}

describe('tensors over storages', () => {
  const six = floats(0, 1, 2, 3, 4, 5);
  const layouts: readonly (readonly [string, Omit<ForgedTensor, 'count'>, readonly number[]])[] = [
    ['contiguous', { shape: [2, 3], strides: [3, 1] }, [0, 1, 2, 3, 4, 5]],
    ['with an offset', { offset: 2, shape: [3], strides: [1] }, [2, 3, 4]],
    ['transposed', { shape: [3, 2], strides: [1, 3] }, [0, 3, 1, 4, 2, 5]],
    ['every second, from the second', { offset: 1, shape: [3], strides: [2] }, [1, 3, 5]],
    ['repeated', { offset: 4, shape: [2, 2], strides: [0, 1] }, [4, 5, 4, 5]],
    ['of three axes', { shape: [1, 2, 3], strides: [77, 1, 2] }, [0, 2, 4, 1, 3, 5]],
    ['a scalar', { offset: 3, shape: [], strides: [] }, [3]],
    ['an empty one', { shape: [0, 5], strides: [5, 1] }, []],
    ['the last element alone', { offset: 5, shape: [1], strides: [9] }, [5]],
  ];
  it.each(layouts)('%s', async (_, layout, expected) => {
    for (const [format, bytes] of forge({ count: 6, ...layout }, six)) {
      const w = (await readWeights(bytes)).tensors.get('w')!;
      expect(w.shape).toEqual(layout.shape);
      expect([...new Float32Array(w.bytes.slice().buffer)], format).toEqual(expected);
    }
  });

  it.each([
    ['DoubleStorage', 'f64', 8],
    ['FloatStorage', 'f32', 4],
    ['HalfStorage', 'f16', 2],
    ['BFloat16Storage', 'bf16', 2],
    ['LongStorage', 'i64', 8],
    ['IntStorage', 'i32', 4],
    ['ShortStorage', 'i16', 2],
    ['CharStorage', 'i8', 1],
    ['ByteStorage', 'u8', 1],
    ['BoolStorage', 'bool', 1],
  ])('%s as %s of %i bytes, transposed', async (type, dtype, size) => {
    const data = Uint8Array.from({ length: 4 * size }, (_, i) => i + 1);
    const options = { type, count: 4, shape: [2, 2], strides: [1, 2] };
    const expected = [0, 2, 1, 3].flatMap((i) => [...data.subarray(i * size, (i + 1) * size)]);
    for (const [, bytes] of forge(options, data)) {
      const w = (await readWeights(bytes)).tensors.get('w')!;
      expect(w.dtype).toBe(dtype);
      expect([...w.bytes]).toEqual(expected);
    }
  });

  it('a window of a shared storage, as old legacy files have it', async () => {
    const value = dict({
      a: tensor({ count: 6, shape: [2], strides: [1], window: ['a', 1, 2] }),
      b: tensor({ count: 6, offset: 1, shape: [2], strides: [1], window: ['b', 3, 3] }),
    });
    const { tensors } = await readWeights(torchLegacy(value, [{ key: '0', count: 6, data: six }]));
    expect([...tensors.get('a')!.bytes]).toEqual([...floats(1, 2)]);
    expect([...tensors.get('b')!.bytes]).toEqual([...floats(4, 5)]);
    const beyond = dict({ a: tensor({ count: 6, shape: [3], strides: [1], window: ['a', 1, 2] }) });
    const file = torchLegacy(beyond, [{ key: '0', count: 6, data: six }]);
    await expect(readWeights(file)).rejects.toThrow(corrupt);
  });

  const wrong: readonly (readonly [string, Omit<ForgedTensor, 'count'> & { count?: number }])[] = [
    ['reaches one element too far', { shape: [7], strides: [1] }],
    ['starts one element too late', { offset: 1, shape: [6], strides: [1] }],
    ['steps out by its strides', { shape: [2, 3], strides: [4, 1] }],
    ['has fewer strides than axes', { shape: [2, 3], strides: [1] }],
    ['has a negative offset', { offset: -1, shape: [2], strides: [1] }],
    ['has a negative stride', { offset: 5, shape: [6], strides: [-1] }],
    [
      'has sizes whose product overflows',
      { shape: [2n ** 52n, 2n ** 52n], strides: [2n ** 52n, 1] },
    ],
    ['has an offset beyond 2^53', { offset: 2n ** 62n, shape: [1], strides: [1] }],
    ['claims more elements than are there', { count: 7, shape: [6], strides: [1] }],
    ['claims fewer elements than are there', { count: 5, shape: [5], strides: [1] }],
    ['has a rank of 17', { shape: Array(17).fill(1), strides: Array(17).fill(1) }],
  ];
  it.each(wrong)('is corrupt where a tensor %s', async (_, options) => {
    for (const [, bytes] of forge({ count: 6, ...options }, six).slice(0, 1)) {
      await expect(readWeights(bytes)).rejects.toThrow(corrupt);
    }
    const data = [{ key: '0', count: 6, data: six }];
    const legacy = torchLegacy(dict({ w: tensor({ count: 6, ...options }) }), data);
    await expect(readWeights(legacy)).rejects.toThrow(corrupt);
  });

  it('refuses one element that claims to be terabytes', async () => {
    for (const shape of [
      [2 ** 30, 2 ** 10],
      [2n ** 52n, 2n ** 52n],
    ]) {
      for (const [, bytes] of forge({ count: 6, shape, strides: [0, 0] }, six)) {
        await expect(readWeights(bytes)).rejects.toThrow(unsupported);
      }
    }
  });

  it('refuses a storage of two descriptions, a missing and a superfluous one', async () => {
    const one = { count: 6, shape: [6], strides: [1] };
    const two = dict({ a: tensor(one), b: tensor({ ...one, type: 'IntStorage' }) });
    await expect(readWeights(torchZip(two, { 0: six }))).rejects.toThrow(corrupt);
    await expect(readWeights(torchZip(dict({ a: tensor(one) })))).rejects.toThrow(corrupt);
    const a = { key: '0', count: 6, data: six };
    for (const storages of [[], [a, a], [a, { ...a, key: '1' }]]) {
      const file = torchLegacy(dict({ a: tensor(one) }), storages);
      await expect(readWeights(file)).rejects.toThrow(corrupt);
    }
  });
});

describe('formats', () => {
  const value = dict({ w: tensor({ count: 1, shape: [1], strides: [1] }) });
  const data = floats(1);

  it('tells safetensors from archives and pickles even where its length looks like their marks', async () => {
    for (const length of [0x80, 0x4b50]) {
      const padding = 'x'.repeat(length - 87);
      const bytes = writeSafetensors(
        new Map([['module.w', { dtype: 'f32' as const, shape: [1], bytes: data }]]),
        { p: padding },
      );
      const file = await readWeights(bytes);
      expect(file).toMatchObject({
        format: 'safetensors',
        wrapper: 'module.',
        metadata: { p: padding },
      });
      expect([...file.tensors.keys()]).toEqual(['w']);
      expect([bytes[0], bytes[1]]).toEqual([length & 0xff, length >> 8]);
    }
  });

  it('refuses big-endian files', async () => {
    const more = [{ name: 'net/byteorder', data: concat('big') }];
    await expect(readWeights(torchZip(value, { 0: data }, { more }))).rejects.toThrow(/big-endian/);
    const legacy = torchLegacy(value, [{ key: '0', count: 1, data }], false);
    await expect(readWeights(legacy)).rejects.toThrow(/big-endian/);
    const little = [{ name: 'net/byteorder', data: concat('little') }];
    const file = await readWeights(torchZip(value, { 0: data }, { more: little }));
    expect([...file.tensors.get('w')!.bytes]).toEqual([...data]);
  });

  it('refuses programs and says that nothing is executed', async () => {
    const attack = dict({ w: reduce(global('os', 'system'), text('id')) });
    for (const file of [torchZip(attack), torchLegacy(attack, [])]) {
      await expect(readWeights(file)).rejects.toMatchObject({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringContaining('os.system'),
        hint: expect.stringContaining('ever executed'),
      });
    }
    const more = [{ name: 'net/constants.pkl', data: new Uint8Array(0) }];
    await expect(readWeights(torchZip(value, { 0: data }, { more }))).rejects.toThrow(
      /TorchScript/,
    );
  });

  it.each([
    ['nothing', '', 'MODEL_CORRUPT'],
    ['a web page', '<!DOCTYPE html><html>', 'MODEL_UNSUPPORTED'],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\n', 'MODEL_UNSUPPORTED'],
    ['a picture', '\x89PNG', 'MODEL_UNSUPPORTED'],
    ['an archive cut off', 'PK\x03\x04', 'MODEL_CORRUPT'],
  ])('refuses %s', async (_, content, code) => {
    await expect(readWeights(concat(content))).rejects.toMatchObject({ code });
  });

  it('refuses a pickle and a zip archive that are no checkpoint', async () => {
    const bare = concat([0x80, 2], int(1), '.');
    await expect(readWeights(bare)).rejects.toThrow(unsupported);
    const path = join(committed, 'zip64_deflated.zip');
    await expect(readWeights(readFileSync(path))).rejects.toThrow(unsupported);
  });
});

it('reads 64 MiB of stored weights without copying them', async () => {
  const count = 4 * MIB;
  const keys = ['0', '1', '2', '3'];
  const storage = new Uint8Array(new Float32Array(count).map((_, i) => i).buffer);
  const value = dict(
    Object.fromEntries(
      keys.map((key) => [`w${key}`, tensor({ key, count, shape: [count], strides: [1] })]),
    ),
  );
  const files = [
    torchZip(value, Object.fromEntries(keys.map((key) => [key, storage]))),
    torchLegacy(
      value,
      keys.map((key) => ({ key, count, data: storage })),
    ),
  ];
  for (const file of files) {
    const before = process.memoryUsage().arrayBuffers;
    const { tensors } = await readWeights(file);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB);
    expect(tensors.size).toBe(4);
    for (const { bytes } of tensors.values()) {
      expect(bytes.buffer).toBe(file.buffer);
      expect(Buffer.compare(bytes, storage)).toBe(0);
    }
  }
});
