import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { animatedPng, avifSequence } from '../../test/animations.ts';
import { isMoving } from './frames.ts';

/** Generates frames of 4 x 4 pixels, stacked vertically. */
const frames = (count: number) => {
  const data = Buffer.from(Array.from({ length: 4 * 4 * 3 * count }, (_, i) => (i * 37) & 255));
  const raw = { width: 4, height: 4 * count, channels: 3 as const, pageHeight: 4 };
  return sharp(data, { raw });
};

describe('what moves, by its bytes', () => {
  it.each([1, 2, 3])('of %d frames', async (count) => {
    const moves = count > 1;
    expect(isMoving('GIF', await frames(count).gif().toBuffer())).toBe(moves);
    expect(isMoving('WebP', await frames(count).webp().toBuffer())).toBe(moves);
    expect(isMoving('PNG', await animatedPng(count))).toBe(moves);
    expect(isMoving('AVIF', avifSequence(count))).toBe(moves);
  });

  it('an animation that begins with another picture than its default', async () => {
    expect(isMoving('PNG', await animatedPng(1, { isDefaultApart: true }))).toBe(true);
  });

  it('neither stills nor what is cut short', async () => {
    const still = frames(1);
    expect(isMoving('PNG', await still.clone().png().toBuffer())).toBe(false);
    expect(isMoving('AVIF', await still.clone().avif().toBuffer())).toBe(false);
    expect(isMoving('JPEG', await still.clone().jpeg().toBuffer())).toBe(false);
    const whole = await frames(3).gif().toBuffer();
    for (const format of ['PNG', 'WebP', 'GIF', 'AVIF'] as const) {
      for (let length = 0; length < whole.length; length += 7) {
        expect(typeof isMoving(format, whole.subarray(0, length))).toBe('boolean');
      }
    }
  });
});
