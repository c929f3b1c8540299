import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testGpu } from '../../../test/gpu.ts';
import type { Rgba8Image } from '../../image/image.ts';
import { stepAcross } from '../../metrics/seams.ts';
import { createNetwork } from '../../networks/registry.ts';
import { readImage } from '../../node/images.ts';
import { readSafetensors } from '../../weights/safetensors.ts';
import { Engine, type Model } from '../engine.ts';
import type { Edge } from '../types.ts';
import { regionOf } from './tiler.ts';

/**
 * The side length in pixels of the texture, which is a part of `brick.png`. With `CRISPEN_LARGE=1`,
 * the texture is all of `brick.png`, and the test takes several minutes on a software adapter.
 * Opposite edges of this image do not quite match: it changes by 28 levels on average from its last
 * row to its first, but by less than 13 between any other pair of neighbouring rows.
 */
const SIDE = process.env.CRISPEN_LARGE === '1' ? 256 : 24;
const SCALE = 2;

let engine: Engine;
let model: Model;
/**
 * The texture, and the same texture shifted by half its size. Each texture's border is in the
 * interior of the other.
 */
let textures: readonly [Rgba8Image, Rgba8Image];
beforeAll(async () => {
  engine = await Engine.create({ gpu: testGpu() });
  const { tensors } = readSafetensors(
    new Uint8Array(readFileSync(`public/models/a2n-x${SCALE}.safetensors`)),
  );
  model = await engine.loadModel(createNetwork('a2n', { scale: SCALE }), tensors);
  const brick = await readImage('test/images/brick.png');
  const part = { x: 0, y: 0, width: SIDE, height: SIDE };
  const texture = regionOf(brick, part, 'zero') as Rgba8Image;
  const half = { ...part, x: SIDE / 2, y: SIDE / 2 };
  textures = [texture, regionOf(texture, half, 'wrap') as Rgba8Image];
});
afterAll(() => engine.destroy());

/**
 * Enlarges both textures. Each line between two LR rows or columns is in both enlarged textures, at
 * different positions. For each line, measures the step in colour across it in both textures, and
 * computes the relative difference between the two steps. Returns two maxima of this difference:
 * `border` for the lines at the border of either texture, and `within` for all other lines.
 */
async function changes(edge: Edge): Promise<{ border: number; within: number }> {
  const options = { edge, submitMs: () => 200 };
  const [a, b] = await Promise.all(
    textures.map(async (texture) => (await engine.upscale(model, texture, options)).image),
  );
  let [border, within] = [0, 0];
  for (const axis of ['x', 'y'] as const) {
    for (let line = 0; line < SIDE; line++) {
      const moved = (line + SIDE / 2) % SIDE;
      const step = stepAcross(b, { axis, at: moved * SCALE });
      const change = Math.abs(stepAcross(a, { axis, at: line * SCALE }) / step - 1);
      if (line * moved === 0) border = Math.max(border, change);
      else within = Math.max(within, change);
    }
  }
  return { border, within };
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

it('an enlarged texture tiles: its border differs no more than a line within', async () => {
  const wrap = await changes('wrap');
  const zero = await changes('zero');
  console.info(
    `${SIDE} x ${SIDE}, steps across lines when the texture begins elsewhere: borders change by ${percent(wrap.border)}, others by ${percent(wrap.within)} at most; with zeros beyond the border by ${percent(zero.border)} and ${percent(zero.within)}`,
  );
  // `wrap.border` is not zero, because the channel means of the two textures differ slightly. The
  // pass that computes these means always reads zeros beyond the border.
  expect(wrap.border).toBeLessThan(0.02);
  expect(wrap.border).toBeLessThanOrEqual(wrap.within);
  expect(zero.border).toBeGreaterThan(0.1);
}, 3_600_000);
