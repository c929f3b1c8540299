import type { Engine } from '../engine/engine.ts';
import { trace } from '../engine/oracle/traceNetwork.ts';
import { CrispenError } from '../errors.ts';
import type { Rgba8Image } from '../image/image.ts';
import type { ChosenModel } from '../node/model.ts';
import { cut } from './pictures.ts';

/**
 * f16 is used only if at least this fraction of the 8-bit output values is within one step of the
 * f32 result.
 */
export const REQUIRED_SHARE = 0.999;
/** The largest finite f16 number. */
export const F16_MAX = 65504;

/** The differences between the f16 result and the f32 result for one image. */
export interface PrecisionFigures {
  /** The number of colour values that were compared. */
  readonly values: number;
  /**
   * The fraction of values that differ by at most 1/255 between the two results. `same` is the
   * fraction of values that are equal.
   */
  readonly within: number;
  readonly same: number;
  /** The largest difference between the two results, in steps of 1/255. */
  readonly worst: number;
  /**
   * The largest magnitude in the feature maps that the f16 run writes to memory. It is measured in
   * f32, because f16 cannot represent magnitudes above `F16_MAX`.
   */
  readonly largest: number;
  /** Whether all output values were finite. If not, only `largest` is meaningful. */
  readonly finite: boolean;
}

export const holds = ({ within, finite, largest }: PrecisionFigures): boolean =>
  finite && largest <= F16_MAX && within >= REQUIRED_SHARE;

/**
 * Enlarges an image in f16 and in f32, and compares the 8-bit results. The f16 run uses the fusion
 * level `blocks`. The f32 run uses the adapter's default fusion level. With `blocks`, the f32
 * run would take several minutes on llvmpipe, a software renderer.
 * @throws CrispenError `INVALID_INPUT` if the device does not support f16, and the errors of
 *   `Engine.upscale` except `NON_FINITE`
 */
export async function measurePrecision(
  engine: Engine,
  { network, weights }: Pick<ChosenModel, 'network' | 'weights'>,
  image: Rgba8Image,
): Promise<PrecisionFigures> {
  const stored = new Set<string>();
  const results: (Uint8ClampedArray | null)[] = [];
  for (const precision of ['f16', 'f32'] as const) {
    const fuse = precision === 'f16' ? 'blocks' : engine.fusion;
    const model = await engine.loadModel(network, weights, { precision, fuse });
    const { nodes } = network.graph;
    for (const id of precision === 'f16' ? model.program.resourceOf.keys() : []) {
      if (nodes[id].shape.kind === 'map') stored.add(nodes[id].name);
    }
    try {
      results.push((await engine.upscale(model, image)).image.data);
    } catch (error) {
      if (!(error instanceof CrispenError && error.code === 'NON_FINITE')) throw error;
      results.push(null);
    } finally {
      await engine.unloadModel(model);
    }
  }
  const input = planar(image, network.inputRange);
  const traced = await trace(engine, network, weights, input, [...stored], { fuse: engine.fusion });
  let largest = 0;
  for (const { data } of traced.values()) {
    for (const value of data) largest = Math.max(largest, Math.abs(value));
  }
  const [half, exact] = results;
  if (!half || !exact) return { values: 0, within: 0, same: 0, worst: 255, largest, finite: false };
  let [values, within, same, worst] = [0, 0, 0, 0];
  for (let i = 0; i < exact.length; i++) {
    if (i % 4 === 3) continue; // alpha is not an output of the network
    const difference = Math.abs(half[i] - exact[i]);
    values++;
    if (difference <= 1) within++;
    if (difference === 0) same++;
    worst = Math.max(worst, difference);
  }
  return { values, within: within / values, same: same / values, worst, largest, finite: true };
}

function planar({ width, height, data }: Rgba8Image, range: number) {
  const plane = width * height;
  const values = Float32Array.from({ length: 3 * plane }, (_, i) => {
    return (data[(i % plane) * 4 + Math.floor(i / plane)] / 255) * range;
  });
  return { width, height, data: values };
}

/** Crops an image to its centre, with sides of at most `size` pixels. */
export function middle(image: Rgba8Image, size: number): Rgba8Image {
  const [width, height] = [Math.min(image.width, size), Math.min(image.height, size)];
  const [x, y] = [(image.width - width) >> 1, (image.height - height) >> 1];
  return cut(image, { x, y, width, height });
}

/**
 * Generates an opaque image with maximum contrast. `strokes` has white lines on black. The lines
 * are one to three pixels wide, like the strokes of letters. `checkers` has pixels in a
 * checkerboard pattern, with black and white in one half and saturated colours in the other half.
 * The inputs to A2N's attention gates are largest at edges with maximum contrast, so these images
 * are hard for f16.
 */
export function hardPicture(kind: 'strokes' | 'checkers', size: number): Rgba8Image {
  const data = new Uint8ClampedArray(size * size * 4);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const odd = (x + y) % 2;
      const white = x % 9 < 1 + ((y >> 3) % 3) || y % 11 === 4 || (x + 2 * y) % 17 === 0 ? 255 : 0;
      const colour =
        kind === 'strokes'
          ? [white, white, white]
          : [odd * 255, (x < size / 2 ? odd : 1 - odd) * 255, (x < size / 2 ? odd : y % 2) * 255];
      data.set([...colour, 255], (y * size + x) * 4);
    }
  }
  return { width: size, height: size, data };
}
