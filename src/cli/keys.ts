/** Counts the keys that adaptive cross-layer attention (ACLA) uses. */
import { attentionInput, attentionTaps, readAttention } from '../engine/oracle/attention.ts';
import { CrispenError } from '../errors.ts';
import { openBackend } from '../node/backend.ts';
import { readImage } from '../node/images.ts';
import { chooseModel, type ModelOptions } from '../node/model.ts';

/**
 * The number of keys that one attention module uses, averaged over all pixels of all measured
 * images.
 */
export interface KeyCount {
  /** The name of the attention module. */
  readonly name: string;
  /** The number of keys per pixel. */
  readonly keys: number;
  /**
   * The number of keys per pixel that the module's gate keeps. For a soft gate, keys with a gate
   * value above 1/2 are counted. In a module without a gate, all keys are kept.
   */
  readonly kept: number;
  /**
   * The effective number of keys: 1 divided by the sum of the squared weights. For `n` equal
   * weights, it is `n`.
   */
  readonly effective: number;
}

/** @throws CrispenError `MODEL_UNSUPPORTED` for networks without attention to earlier layers */
export async function countKeys(
  weights: string,
  pictures: readonly string[],
  options: Pick<ModelOptions, 'scale' | 'wish'> = {},
): Promise<KeyCount[]> {
  const model = await chooseModel({ ...options, weights });
  const { network } = model;
  const backend = await openBackend('cpu');
  try {
    const counts = new Map<string, { keys: number; pixels: number; kept: number; own: number }>();
    for (const path of pictures) {
      const image = await readImage(path);
      const input = attentionInput(network, image);
      const traced = await backend.trace(network, model.weights, input, attentionTaps(network));
      for (const found of readAttention(network, traced, image).keys) {
        const { name, weights, gates, width, height } = found;
        const pixels = width * height;
        const keys = weights.length / pixels;
        const count = counts.get(name) ?? { keys, pixels: 0, kept: 0, own: 0 };
        for (let i = 0; i < pixels; i++) {
          let squares = 0;
          for (let t = 0; t < keys; t++) {
            squares += weights[t * pixels + i] ** 2;
            count.kept += !gates || gates[t * pixels + i] > 0.5 ? 1 : 0;
          }
          // If the gate keeps no key, all weights are zero.
          count.own += squares > 0 ? 1 / squares : 0;
        }
        count.pixels += pixels;
        counts.set(name, count);
      }
    }
    if (counts.size === 0) {
      throw new CrispenError(
        'MODEL_UNSUPPORTED',
        `${weights} has no attention to earlier layers.`,
        {
          hint: '--keys counts the keys of ACLA.',
        },
      );
    }
    return [...counts].map(([name, { keys, pixels, kept, own }]) => ({
      name,
      keys,
      kept: kept / pixels,
      effective: own / pixels,
    }));
  } finally {
    backend.close();
  }
}
