import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { CrispenError } from '../errors.ts';
import { toFloat32 } from './convert.ts';
import { readSafetensors } from './safetensors.ts';
import { DTYPE_BYTES, elementCount, type Tensor, type TensorMap } from './tensor.ts';
import { writeSafetensors } from './writeSafetensors.ts';

const root = new URL('../../', import.meta.url);
const filesIn = (folder: string): string[] =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith('.safetensors'))
    .map((name) => `${folder}/${name}`);
const read = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, root)));

/**
 * Creates a file with the given header and `size` bytes of data. `headerLength` defaults to the
 * length of the JSON.
 */
function file(header: unknown, size = 0, headerLength?: bigint): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.length + size);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  for (let i = 0; i < size; i++) bytes[8 + json.length + i] = i + 1;
  return bytes;
}

const u8 = (begin: number, end: number, shape: unknown = [end - begin]) => ({
  dtype: 'U8',
  shape,
  data_offsets: [begin, end],
});

function refusal(bytes: Uint8Array): string {
  try {
    readSafetensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CrispenError);
    expect(error).toMatchObject({ code: 'MODEL_CORRUPT' });
    expect((error as CrispenError).hint).not.toBe('');
    return (error as CrispenError).message;
  }
  throw new Error('accepted');
}

describe('reading', () => {
  test.each(filesIn('public/models'))('%s: the shipped weights, all finite', (path) => {
    const bytes = read(path);
    const { tensors, metadata } = readSafetensors(bytes);
    expect(metadata).toEqual({});
    if (path.includes('lcoan')) {
      expect(tensors.get('body.0.attention.0.conv_match.0.weight')?.shape).toHaveLength(4);
    } else if (path.includes('asid')) {
      expect(tensors.get('input.weight')?.shape).toEqual([48, 3, 3, 3]);
    } else if (path.includes('acla')) {
      // There are four attention modules. The last module attends to four layers with nine keys
      // each.
      expect(tensors.get('cla.3.conv_attn.0.weight')?.shape).toEqual([36, 64, 1, 1]);
    } else {
      // A2N has ten tensors per block, and PAN has eight. Networks of scale 1, which restore images
      // without enlarging them, have 8 blocks instead of 16, and no upsampler.
      const pan = path.includes('pan');
      const blocks = path.includes('x1') ? 8 : 16;
      const upsampler = path.includes('x1') ? 0 : path.includes('x4') ? 12 : 6;
      expect(tensors.size).toBe(blocks * (pan ? 8 : 10) + 6 + upsampler);
      const layer = pan
        ? `SCPA_trunk.${blocks - 1}.PAConv.k4.weight`
        : `AAB_trunk.${blocks - 1}.attention.k4.weight`;
      const channels = pan ? 20 : 40;
      expect(tensors.get(layer)?.shape).toEqual([channels, channels, 3, 3]);
    }
    for (const [name, tensor] of tensors) {
      // One of LCoAN's tensors records whether the centroids are initialised.
      expect(tensor.dtype).toBe(name.endsWith('initted') ? 'u8' : 'f16');
      expect(tensor.bytes.buffer).toBe(bytes.buffer);
      // ACLA's mean colour is in the range 0..255, so it can be larger than the other weights.
      const most = name.endsWith('_mean.bias') ? 255 : 100;
      expect(toFloat32(tensor).every((value) => Math.abs(value) < most)).toBe(true);
    }
  });

  test.each(filesIn('test/golden'))('%s: survives being written again', (path) => {
    const first = readSafetensors(read(path));
    const { model, arch = model, module, nf } = first.metadata;
    if (path.includes('tiny_a2n')) {
      expect(nf).toBe('8');
      expect(first.tensors.get('weights.conv_first.weight')?.shape).toEqual([8, 3, 3, 3]);
    } else if (module !== undefined) {
      expect(path).toContain('/acla_');
    } else {
      // The metadata contains the network's name, such as `EDSR_CLA (repaired)`. The file name
      // begins with the first word of this name, in lower case.
      const [name] = /^\w+/.exec(model ?? arch ?? '') ?? ['no network'];
      expect(path).toContain(`/${name.toLowerCase()}_`);
      const input = first.tensors.get('input')?.shape ?? [];
      expect([1, 3, name === 'gla_module' ? 16 : 3]).toContain(input[1]);
      expect([input.length, input[0]]).toEqual([4, 1]);
      // EDSR-CLA files have the tensors `paired.output` and `released.output` instead of `output`.
      if (!name.includes('CLA')) expect(first.tensors.get('output')?.shape[0]).toBe(1);
    }
    const second = readSafetensors(writeSafetensors(first.tensors, first.metadata));
    expect(second).toEqual(first);
    expect([...second.tensors.keys()]).toEqual([...first.tensors.keys()]);
  });

  test('tensors at odd places, in a view into a larger buffer', () => {
    const header = {
      a: u8(0, 1),
      b: { dtype: 'F32', shape: [2], data_offsets: [1, 9] },
    };
    const bytes = file(header, 9);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const { tensors } = readSafetensors(shifted.subarray(3));
    expect(tensors.get('a')?.bytes).toEqual(Uint8Array.of(1));
    expect(tensors.get('b')?.bytes).toEqual(Uint8Array.of(2, 3, 4, 5, 6, 7, 8, 9));
    expect(tensors.get('b')?.bytes.buffer).toBe(shifted.buffer);
  });

  test('no tensors, empty tensors, scalars, any order in the header', () => {
    expect(readSafetensors(file('{}')).tensors.size).toBe(0);
    const header = { late: u8(1, 3), empty: u8(1, 1, [0, 7]), scalar: u8(0, 1, []) };
    const { tensors } = readSafetensors(file(header, 3));
    expect(tensors.get('scalar')).toEqual({ dtype: 'u8', shape: [], bytes: Uint8Array.of(1) });
    expect(tensors.get('empty')?.bytes.length).toBe(0);
    expect(tensors.get('late')?.bytes).toEqual(Uint8Array.of(2, 3));
  });

  test('names that mean something to JavaScript are names', () => {
    const names = ['__proto__', 'constructor', 'toString', '0', '', 'a"b\\', 'é'];
    const tensors: TensorMap = new Map(
      names.map((name, i): [string, Tensor] => [
        name,
        { dtype: 'u8', shape: [1], bytes: Uint8Array.of(i) },
      ]),
    );
    const bytes = writeSafetensors(tensors, JSON.parse('{"__proto__":"harmless"}'));
    const back = readSafetensors(bytes);
    expect(new Map(back.tensors)).toEqual(tensors);
    expect(Object.entries(back.metadata)).toEqual([['__proto__', 'harmless']]);
    expect(Object.getPrototypeOf(back.metadata)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });
});

it('refuses headers of more tensors than any network has, before they are parsed', () => {
  const entry = '"a":{"dtype":"U8","shape":[],"data_offsets":[0,0]},';
  const text = `{${entry.repeat(2e5)}`;
  const start = process.cpuUsage();
  expect(() => readSafetensors(file(text))).toThrow(
    expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }),
  );
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(1000);
});

describe('refusing', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /0 bytes/],
    ['a file of seven bytes', new Uint8Array(7), /7 bytes/],
    ['an empty header', file(''), /not JSON/],
    ['a header longer than the file', file('{}', 0, 3n), /header of 3 bytes, but has only 10/],
    ['an absurd header length', file('{}', 0, 2n ** 64n - 1n), /18446744073709551615/],
    ['a header cut short', file('{"a":1}', 0, 5n), /not JSON/],
    ['text', new TextEncoder().encode('<!doctype html><p>Not found'), /header of/],
    ['invalid UTF-8', file('{}').fill(0xff, 8), /not JSON in UTF-8/],
    ['a byte order mark', file('\ufeff{}'), /not JSON/],
    ['space before the header', file(' {}'), /not a JSON object/],
    ['an array', file([]), /not a JSON object/],
    ['null', file('null'), /not a JSON object/],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), /__metadata__."a" is not a string/],
    ['metadata of no object', file({ __metadata__: 'a' }), /__metadata__ is not an object/],
    ['an entry of no object', file({ a: [1] }), /tensor "a"/],
    ['an entry of null', file({ a: null }), /tensor "a"/],
    ['an unknown type', file({ a: { ...u8(0, 1), dtype: 'F8' } }, 1), /unknown element type "F8"/],
    ['a type of Object', file({ a: { ...u8(0, 1), dtype: 'constructor' } }, 1), /constructor/],
    ['no type', file({ a: { shape: [], data_offsets: [0, 1] } }, 1), /type nothing/],
    ['no shape', file({ a: { dtype: 'U8', data_offsets: [0, 1] } }, 1), /shape: nothing/],
    ['a shape of text', file({ a: u8(0, 1, ['1']) }, 1), /shape: \["1"\]/],
    ['a negative size', file({ a: u8(0, 1, [-1, -1]) }, 1), /shape: \[-1,-1\]/],
    ['a broken size', file({ a: u8(0, 1, [0.5, 2]) }, 1), /shape/],
    ['an unsafe size', file({ a: u8(0, 1, [2 ** 53]) }, 1), /shape/],
    [
      'an infinite size',
      file('{"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,1]}}', 1),
      /shape/,
    ],
    [
      'a shape of a million lists in lists',
      file(
        `{"a":{"dtype":"U8","data_offsets":[0,1],"shape":${'['.repeat(1e6)}${']'.repeat(1e6)}}}`,
        1,
      ),
      /shape: a deeply nested value/,
    ],
    [
      'a type of a million lists in lists',
      file(
        `{"a":{"shape":[1],"data_offsets":[0,1],"dtype":${'['.repeat(1e6)}${']'.repeat(1e6)}}}`,
        1,
      ),
      /type a deeply nested value/,
    ],
    ['a shape that overflows', file({ a: u8(0, 1, Array(40).fill(2 ** 52)) }, 1), /takes/],
    [
      'a shape that overflows to NaN',
      file({ a: u8(0, 1, [...Array(40).fill(2 ** 52), 0]) }, 1),
      /takes/,
    ],
    ['a shape of another size', file({ a: u8(0, 4, [3]) }, 4), /takes 3 bytes, not 4/],
    ['one offset', file({ a: { ...u8(0, 1), data_offsets: [0] } }, 1), /data_offsets: \[0\]/],
    ['three offsets', file({ a: { ...u8(0, 1), data_offsets: [0, 1, 1] } }, 1), /data_offsets/],
    [
      'offsets backwards',
      file({ a: { ...u8(0, 1), data_offsets: [1, 0] } }, 1),
      /bytes 1 to 0 of 1/,
    ],
    ['a negative offset', file({ a: { ...u8(0, 1), data_offsets: [-1, 0] } }, 1), /data_offsets/],
    ['data beyond the end', file({ a: u8(0, 2) }, 1), /bytes 0 to 2 of 1/],
    ['an overlap', file({ a: u8(0, 2), b: u8(1, 3) }, 3), /"b" at byte 1 overlaps/],
    ['one place for two', file({ a: u8(0, 2), b: u8(0, 2) }, 2), /overlaps/],
    ['a hole', file({ a: u8(0, 1), b: u8(2, 3) }, 3), /"b" at byte 2 leaves a hole/],
    ['a hole at the start', file({ a: u8(1, 2) }, 2), /leaves a hole/],
    ['bytes left over', file({ a: u8(0, 1) }, 2), /end at byte 1, its data at 2/],
    [
      'a name twice',
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061" :{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        2,
      ),
      /key "a" twice/,
    ],
    [
      'a field twice',
      file('{"a":{"dtype":"F32","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
      /key "dtype" twice/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });

  test('a long name is cut in the message', () => {
    expect(refusal(file({ ['x'.repeat(10_000)]: 1 })).length).toBeLessThan(250);
  });
});

describe('element types that are not read', () => {
  const tensor = (dtype: string, count: number, bytes: number, begin = 0) => ({
    dtype,
    shape: [count],
    data_offsets: [begin, begin + bytes],
  });
  const attempt = (bytes: Uint8Array) => () => readSafetensors(bytes);

  test.each<readonly [string, number, number]>([
    ['F4', 6, 3],
    ['F6_E2M3', 4, 3],
    ['F6_E3M2', 4, 3],
    ...['F8_E4M3', 'F8_E4M3FNUZ', 'F8_E5M2', 'F8_E5M2FNUZ', 'F8_E8M0'].map(
      (type) => [type, 3, 3] as const,
    ),
    ['U16', 3, 6],
    ['U32', 3, 12],
    ['U64', 3, 24],
    ['C64', 3, 24],
  ])('%s: the file is valid, and converting it helps', (type, count, bytes) => {
    const header = { a: { ...tensor('U8', 2, 2) }, b: tensor(type, count, bytes, 2) };
    expect(attempt(file(header, bytes + 2))).toThrow(
      expect.objectContaining({
        code: 'MODEL_UNSUPPORTED',
        message: expect.stringMatching(new RegExp(`valid.* type ${type}: .*"b"`)),
        hint: expect.stringMatching(/^Convert .* f16/),
      }),
    );
  });

  test('damage is found first: sizes, holes, names of no type', () => {
    for (const bytes of [
      file({ b: tensor('F8_E4M3', 3, 4) }, 4),
      file({ b: tensor('F4', 3, 1) }, 1),
      file({ b: tensor('U16', 3, 6) }, 7),
      file({ a: tensor('U16', 3, 6), b: tensor('F9', 3, 3, 6) }, 9),
    ]) {
      expect(attempt(bytes)).toThrow(expect.objectContaining({ code: 'MODEL_CORRUPT' }));
    }
  });
});

describe('writing', () => {
  test('by falling element size and aligned, in the order of the map', () => {
    const tensor = (dtype: Tensor['dtype'], count: number): Tensor => ({
      dtype,
      shape: [count],
      bytes: new Uint8Array(count * DTYPE_BYTES[dtype]).fill(count),
    });
    const tensors = new Map([
      ['bool', tensor('bool', 3)],
      ['f16', tensor('f16', 3)],
      ['f32', tensor('f32', 1)],
      ['i64', tensor('i64', 2)],
      ['bf16', tensor('bf16', 1)],
      ['f64', tensor('f64', 1)],
      ['i16', tensor('i16', 1)],
      ['i32', tensor('i32', 5)],
      ['i8', tensor('i8', 1)],
      ['u8', tensor('u8', 1)],
    ]);
    const bytes = writeSafetensors(tensors, { seed: '7' });
    const back = readSafetensors(bytes);
    expect(back.metadata).toEqual({ seed: '7' });
    expect(new Map(back.tensors)).toEqual(tensors);
    expect([...back.tensors.keys()].join(' ')).toBe('i64 f64 f32 i32 f16 bf16 i16 bool i8 u8');
    for (const { dtype, bytes: view } of back.tensors.values()) {
      expect(view.byteOffset % DTYPE_BYTES[dtype]).toBe(0);
    }
  });

  test('refuses what it could not read again', () => {
    const bad: Tensor = { dtype: 'f32', shape: [2], bytes: new Uint8Array(4) };
    const good: Tensor = { dtype: 'f32', shape: [1], bytes: new Uint8Array(4) };
    for (const tensors of [new Map([['a', bad]]), new Map([['__metadata__', good]])]) {
      expect(() => writeSafetensors(tensors)).toThrow(
        expect.objectContaining({ code: 'INVALID_INPUT' }),
      );
    }
  });
});

test('2000 damaged files are refused or read soundly, and never crash', () => {
  const tiny = writeSafetensors(
    new Map<string, Tensor>([
      ['a.weight', { dtype: 'f32', shape: [2, 1], bytes: new Uint8Array(8).fill(1) }],
      ['b', { dtype: 'f16', shape: [3], bytes: new Uint8Array(6).fill(2) }],
      ['c', { dtype: 'u8', shape: [], bytes: Uint8Array.of(3) }],
    ]),
    { k: 'v' },
  );
  let seed = 20260101;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  let refused = 0;
  for (let run = 0; run < 2000; run++) {
    let bytes = tiny.slice();
    if (run % 4 === 3) bytes = bytes.slice(0, random(bytes.length));
    // In half of the files, some bits are flipped. In the other half, some bytes are replaced by
    // characters that are common in JSON, so that the header stays valid JSON more often.
    for (let flips = 1 + random(3); flips > 0 && bytes.length > 0; flips--) {
      const at = random(bytes.length);
      if (run % 2 === 0) bytes[at] ^= 1 << random(8);
      else bytes[at] = '0123456789-,.[]{}":eFU'.charCodeAt(random(22));
    }
    try {
      const { tensors, metadata } = readSafetensors(bytes);
      let total = 0;
      for (const { dtype, shape, bytes: view } of tensors.values()) {
        expect(view.length).toBe(elementCount(shape) * DTYPE_BYTES[dtype]);
        expect(view.buffer).toBe(bytes.buffer);
        total += view.length;
      }
      const dataStart = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
      expect(total).toBe(bytes.length - dataStart);
      for (const value of Object.values(metadata)) expect(value).toBeTypeOf('string');
    } catch (error) {
      if (!(error instanceof CrispenError)) throw error;
      // If the damage turns F16 into U16, the file is still valid, but it is not supported.
      if (error.code === 'MODEL_UNSUPPORTED') expect(error.message).toMatch(/type [UF]\d+/);
      else expect(error.code).toBe('MODEL_CORRUPT');
      refused++;
    }
  }
  // A file can still be valid if the damage affects only a tensor's values or its name, so
  // `readSafetensors` does not reject every file.
  expect(refused).toBeGreaterThan(1000);
  expect(refused).toBeLessThan(2000);
});
