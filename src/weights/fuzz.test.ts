import { deflateRawSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { concat, zip } from '../../test/checkpoints/forge.ts';
import { mutators, place, seeded } from '../../test/fuzz/mutate.ts';
import { PICKLE_CODE, repack, weightSeeds } from '../../test/fuzz/weights.ts';
import { CrispenError } from '../errors.ts';
import { readWeights, type WeightFile } from './read.ts';

const MIB = 2 ** 20;
const MUTATIONS = 10_000;
/**
 * The maximum CPU time for reading one file, in milliseconds. CPU time does not depend on the
 * machine's load. The tests' timeouts catch real hangs.
 */
const SLOWEST_MS = 2000;

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
  const seeds = await weightSeeds();
  const originals = await Promise.all(seeds.map(({ bytes }) => readWeights(bytes)));
  const changes = mutators(PICKLE_CODE);
  const outcomes = { MODEL_CORRUPT: 0, MODEL_UNSUPPORTED: 0, read: 0 };
  let slowest = 0;
  let mostMemory = 0;
  for (let seed = 0; seed < MUTATIONS; seed++) {
    const random = seeded(seed);
    const which = seed % seeds.length;
    const mutator = changes[random(changes.length)];
    const strike = (bytes: Uint8Array) => mutator(bytes, random, place(bytes.length, random));
    const { bytes, zip: kind } = seeds[which];
    const file = kind === 'resealed' ? await repack(bytes, strike) : strike(bytes.slice());

    const memory = process.memoryUsage.rss();
    const start = process.cpuUsage();
    try {
      const weights = await readWeights(file);
      outcomes.read++;
      // In sealed files, checksums cover every tensor. If the reader accepts a mutation of such a
      // file, the tensors must therefore be the original ones.
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
  // Each outcome must be frequent. Otherwise, the code that leads to a rare outcome would hardly be
  // tested.
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
