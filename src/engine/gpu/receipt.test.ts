import { expect, it } from 'vitest';
import { CrispenError } from '../../errors.ts';
import type { Device } from './device.ts';
import { Receipt } from './receipt.ts';

/** Creates a fake GPU. Its encoder runs copy commands immediately, or never if `drops` is true. */
function gpu() {
  const staging = new Uint8Array(64);
  const broken: string[] = [];
  const device = {
    broken: (what: string) => {
      broken.push(what);
      return new CrispenError('DEVICE_LOST', what);
    },
  } as unknown as Device;
  const encoder = (drops = false) =>
    ({
      copyBufferToBuffer(from: Uint8Array, at: number, _: unknown, to: number, bytes: number) {
        if (!drops) staging.set(from.subarray(at, at + bytes), to);
      },
    }) as unknown as GPUCommandEncoder;
  const buffer = (bytes: Uint8Array) => bytes as unknown as GPUBuffer;
  return { staging, broken, device, encoder, buffer };
}

it('passes where all that was told has happened', () => {
  const { staging, device, encoder, buffer } = gpu();
  const receipt = new Receipt(device, buffer(staging), 8);
  const pixels = Uint8Array.of(9, 9, 9, 9, 1, 2, 3, 4);
  receipt.expect(encoder(), buffer(pixels), 4, pixels.subarray(4));
  receipt.expect(encoder(), buffer(Uint8Array.of(5, 6, 7, 8)), 0, Uint8Array.of(5, 6, 7));
  expect(receipt.end).toBe(16);
  expect(() => receipt.check(staging.buffer)).not.toThrow();
});

it.each([
  ['a submission that was dropped', true, 0],
  ['an upload that was dropped', false, 3],
])('gives the device up for %s', (_, drops, arrived) => {
  const { staging, broken, device, encoder, buffer } = gpu();
  const receipt = new Receipt(device, buffer(staging), 0);
  const told = Uint8Array.of(1, 2, 3, 4);
  const there = drops ? told : told.map((value, i) => (i < arrived ? value : 0));
  receipt.expect(encoder(drops), buffer(there), 0, told);
  expect(() => receipt.check(staging.buffer)).toThrow('did not do all of its work');
  expect(broken).toHaveLength(1);
});
