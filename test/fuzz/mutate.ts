/** Mutates files randomly, based on a seed. */
import { concat } from '../checkpoints/forge.ts';

/** Returns a random integer from 0 up to, but excluding, the limit. */
export type Random = (below: number) => number;

/** Creates a generator of random integers (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Values that often cause errors if they are used as lengths, counts or offsets. */
const EVIL = [
  0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

export type Mutator = (bytes: Uint8Array, random: Random, at: number) => Uint8Array;

/**
 * Returns mutations that suit every format. `code` contains fragments that can occur anywhere in a
 * format's files.
 */
export const mutators = (code: readonly Uint8Array[]): readonly Mutator[] => [
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
      const little = random(2) === 0;
      if (random(2) === 0) view.setUint32(at, value, little);
      else view.setBigUint64(at, BigInt(value) << BigInt(random(33)), little);
    }
    return bytes;
  },
  function insertCode(bytes, random, at) {
    return concat(bytes.subarray(0, at), code[random(code.length)], bytes.subarray(at));
  },
  function overwriteWithCode(bytes, random, at) {
    const part = code[random(code.length)];
    if (at + part.length <= bytes.length) bytes.set(part, at);
    return bytes;
  },
  function swapBlocks(bytes, random, at) {
    const length = Math.min(random(256), bytes.length - at);
    const from = random(bytes.length - length);
    return bytes.copyWithin(at, from, from + length);
  },
];

/**
 * Chooses a position to change, often near the start or the end, which contain the file's
 * structure.
 */
export function place(length: number, random: Random): number {
  const kind = random(4);
  if (kind === 0) return random(Math.min(length, 400));
  if (kind === 1) return length - 1 - random(Math.min(length, 2000));
  return random(length);
}
