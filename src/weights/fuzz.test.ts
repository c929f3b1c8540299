import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { concat, zip } from '../../test/checkpoints/forge.ts';
import { CrispenError } from '../errors.ts';
import { readWeights, type WeightFile } from './read.ts';
import { ZipArchive } from './torch/zip.ts';
import { writeSafetensors } from './writeSafetensors.ts';

const MIB = 2 ** 20;
const MUTATIONS = 10_000;
/** Of CPU time, because a busy machine should not count. The test's timeout catches real hangs. */
const SLOWEST_MS = 2000;

/** Mulberry32: a seeded generator of 32-bit numbers. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function load(name: string): Uint8Array {
  const file = readFileSync(new URL(`../../test/checkpoints/${name}`, import.meta.url));
  return new Uint8Array(file);
}

async function deflated(name: string): Promise<Uint8Array> {
  const archive = new ZipArchive(load(name), MIB);
  const entries = [...archive.names()].map(async (entry) => {
    return { name: entry, data: await archive.read(entry), deflate: true };
  });
  return zip(await Promise.all(entries));
}

/** Lengths, counts and offsets that often cause errors. */
const EVIL = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];
/** Pickle code that a hostile file could carry anywhere. */
const CODE = [
  'cos\nsystem\n(X\x02\x00\x00\x00idtR',
  'cbuiltins\neval\n',
  'X\xff\xff\xff\x7f',
  '\x8d\xff\xff\xff\xff\xff\xff\xff\x7f',
  '\x8b\xff\xff\xff\x7f',
  '}q\x00h\x00h\x00s',
  ']q\x00h\x00a',
  'r\xff\xff\xff\xff',
  '(((((((((((((((',
  '\x85\x85\x85\x85\x85\x85\x85\x85',
  '\x82\x01',
  'Q',
  'R',
  'b',
  '.',
].map((code) => new Uint8Array(Buffer.from(code, 'latin1')));

type Random = (below: number) => number;
const MUTATORS: readonly ((bytes: Uint8Array, random: Random, at: number) => Uint8Array)[] = [
  function flipBit(bytes, random, at) {
    bytes[at] ^= 1 << random(8);
    return bytes;
  },
  function flipBytes(bytes, random) {
    for (let i = random(8); i >= 0; i--) bytes[random(bytes.length)] = random(256);
    return bytes;
  },
  function truncate(bytes, _, at) {
    return bytes.subarray(0, at);
  },
  function remove(bytes, random, at) {
    return concat(bytes.subarray(0, at), bytes.subarray(at + 1 + random(64)));
  },
  function repeat(bytes, random, at) {
    return concat(bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random(512))));
  },
  function spliceLength(bytes, random, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const value = EVIL[random(EVIL.length)];
    if (at + 8 <= bytes.length) {
      if (random(2) === 0) view.setUint32(at, value, true);
      else view.setBigUint64(at, BigInt(value) << BigInt(random(33)), true);
    }
    return bytes;
  },
  function insertCode(bytes, random, at) {
    return concat(bytes.subarray(0, at), CODE[random(CODE.length)], bytes.subarray(at));
  },
  function overwriteWithCode(bytes, random, at) {
    const code = CODE[random(CODE.length)];
    if (at + code.length <= bytes.length) bytes.set(code, at);
    return bytes;
  },
  function swapBlocks(bytes, random, at) {
    const length = Math.min(random(256), bytes.length - at);
    const from = random(bytes.length - length);
    return bytes.copyWithin(at, from, from + length);
  },
];

/** A position to change: often in the head or the tail, where the structure is. */
function place(length: number, random: Random): number {
  const kind = random(4);
  if (kind === 0) return random(Math.min(length, 400));
  if (kind === 1) return length - 1 - random(Math.min(length, 2000));
  return random(length);
}

/** A new pickle in an archive with correct checksums, so the pickle reader runs on it. */
async function repack(bytes: Uint8Array, mutate: (pickle: Uint8Array) => Uint8Array) {
  const archive = new ZipArchive(bytes, MIB);
  const entries = [...archive.names()].map(async (name) => {
    const data = await archive.read(name);
    return { name, data: name.endsWith('.pkl') ? mutate(data.slice()) : data };
  });
  return zip(await Promise.all(entries));
}

function same(a: WeightFile, b: WeightFile): boolean {
  if (a.tensors.size !== b.tensors.size) return false;
  for (const [name, { dtype, shape, bytes }] of a.tensors) {
    const other = b.tensors.get(name);
    if (other === undefined || other.dtype !== dtype || `${other.shape}` !== `${shape}`)
      return false;
    if (Buffer.compare(other.bytes, bytes) !== 0) return false;
  }
  return true;
}

function millisecondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

it(`survives ${MUTATIONS} seeded mutations of every format`, async () => {
  const safetensors = writeSafetensors(
    (await readWeights(load('compact_x1_plain_half_zip.pth'))).tensors,
    { origin: 'fuzz' },
  );
  const seeds: readonly { bytes: Uint8Array; zip?: 'sealed' | 'resealed' }[] = [
    { bytes: load('compact_x1_plain_half_zip.pth'), zip: 'sealed' },
    { bytes: load('compact_x2_params_views_zip.pth'), zip: 'sealed' },
    { bytes: await deflated('compact_x3_params_bf16_zip.pth'), zip: 'sealed' },
    { bytes: load('compact_x1_plain_half_zip.pth'), zip: 'resealed' },
    { bytes: load('edsr_x3_model_state_dict_parameters_zip.pt'), zip: 'resealed' },
    { bytes: load('compact_x2_params_views_legacy.pth') },
    { bytes: load('compact_x2_params_and_ema_legacy.pth') },
    { bytes: load('compact_x2_orig_mod_legacy.pth') },
    { bytes: safetensors },
  ];
  const originals = await Promise.all(seeds.map(({ bytes }) => readWeights(bytes)));
  const outcomes = { MODEL_CORRUPT: 0, MODEL_UNSUPPORTED: 0, read: 0 };
  let slowest = 0;
  let mostMemory = 0;
  for (let seed = 0; seed < MUTATIONS; seed++) {
    const random = seeded(seed);
    const which = seed % seeds.length;
    const mutator = MUTATORS[random(MUTATORS.length)];
    const strike = (bytes: Uint8Array) => mutator(bytes, random, place(bytes.length, random));
    const { bytes, zip: kind } = seeds[which];
    const file = kind === 'resealed' ? await repack(bytes, strike) : strike(bytes.slice());

    const memory = process.memoryUsage.rss();
    const start = process.cpuUsage();
    try {
      const weights = await readWeights(file);
      outcomes.read++;
      // Where a checksum covers every tensor, the reader must return what was written.
      if (kind === 'sealed' && !same(weights, originals[which])) {
        throw new Error(`mutation ${seed} (${mutator.name}) passed and changed a tensor`);
      }
    } catch (error) {
      const code = error instanceof CrispenError ? error.code : 'foreign';
      if (code !== 'MODEL_CORRUPT' && code !== 'MODEL_UNSUPPORTED') {
        throw new Error(`mutation ${seed} (${mutator.name})`, { cause: error });
      }
      outcomes[code]++;
    }
    slowest = Math.max(slowest, millisecondsSince(start));
    mostMemory = Math.max(mostMemory, process.memoryUsage.rss() - memory - 4 * file.length);
  }
  expect(slowest).toBeLessThan(SLOWEST_MS);
  expect(mostMemory).toBeLessThan(64 * MIB);
  // Each outcome must be frequent. Otherwise the mutations do not reach the readers.
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(MUTATIONS / 50);
}, 120_000);

it('reads hostile files of some size in bounded memory and time', async () => {
  const flood = (opcode: string, size: number) => new Uint8Array(size).fill(opcode.charCodeAt(0));
  const pickle = (body: Uint8Array) => concat([0x80, 2], body, '.');
  const archive = (data: Uint8Array, deflate: boolean) =>
    zip([{ name: 'net/data.pkl', data: pickle(data), deflate }]);
  const nested = zip([
    { name: 'net/data.pkl', data: pickle(flood('}', 4 * MIB)), deflate: true },
    ...Array.from({ length: 1000 }, (_, i) => ({ name: `net/data/${i}`, data: concat('abcd') })),
  ]);
  const files = [
    archive(flood('}', 8 * MIB), true),
    archive(flood(']', 8 * MIB), false),
    archive(flood('(', 60 * MIB), true),
    archive(concat('}q\x00', ...Array.from({ length: 100_000 }, () => 'h\x00h\x00s')), true),
    nested,
    zip([{ name: 'net/data.pkl', data: new Uint8Array(200 * MIB), deflate: true }]),
    concat([0x80, 2], flood('}', 8 * MIB)),
    concat('PK\x03\x04', deflateRawSync(new Uint8Array(MIB))),
  ];
  for (const file of files) {
    const before = process.memoryUsage();
    const start = process.cpuUsage();
    await expect(readWeights(file)).rejects.toBeInstanceOf(CrispenError);
    expect(millisecondsSince(start)).toBeLessThan(SLOWEST_MS);
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    expect(grown).toBeLessThan(3 * file.length + 64 * MIB);
  }
}, 60_000);
