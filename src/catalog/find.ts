/**
 * Finds models in a list. This file does not contain the list, because the worker receives the list
 * from the page.
 */
import { CrispenError } from '../errors.ts';
import type { Task } from './task.ts';

/**
 * The kind of images that a model enlarges best. `photo` means ordinary photos, which are usually
 * JPEG files. `clean` means lossless images. `sharp` models enlarge photos and invent detail, so
 * they run only on request.
 */
export type Kind = 'photo' | 'clean' | 'sharp';

/** One shipped weight file, and the information that is needed to run its network. */
export interface ModelFile {
  readonly id: string;
  /** The id of the network family. It is passed to `createNetwork`. */
  readonly network: 'a2n' | 'a2nm' | 'pan' | 'lcoan' | 'edsr-acla' | 'asid';
  readonly task: Task;
  /** 1 for every task except `upscale`. */
  readonly scale: 1 | 2 | 3 | 4;
  /** Null for restoration models. */
  readonly kind: Kind | null;
  /**
   * Whether this is the best shipped model of its kind and scale. Quality is measured on the images
   * in QUALITY.md.
   */
  readonly best: boolean;
  /** Whether this is the fastest shipped model of its kind and scale. */
  readonly fast: boolean;
  /**
   * `features`, `upsamplerFeatures` and `blocks` are options for `createNetwork`. They are set only
   * if they differ from the family's defaults.
   */
  readonly features?: number;
  readonly upsamplerFeatures?: number;
  readonly blocks?: number;
  /** LCoAN only: the number of groups. Each group has residual blocks and attention. */
  readonly groups?: number;
  /** RGB input and output values range from 0 to this value. */
  readonly inputRange: number;
  /**
   * Whether f16 is precise enough for the model's feature maps and weights. `npm run precision`
   * measures this.
   */
  readonly f16: boolean;
  /** The file's name in the models folder. */
  readonly file: string;
  readonly bytes: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/**
 * Finds a model by its id.
 * @throws CrispenError `MODEL_UNKNOWN`; the hint lists the known ids.
 */
export function findIn(files: readonly ModelFile[], id: string): ModelFile {
  const entry = files.find((model) => model.id === id);
  if (entry) return entry;
  throw new CrispenError('MODEL_UNKNOWN', `There is no model called "${id}".`, {
    hint: `Known models: ${files.map((model) => model.id).join(', ')}.`,
  });
}

/**
 * Finds the best or the fastest model of a given kind and scale. Returns undefined if there is
 * none.
 */
export const kindIn = (
  files: readonly ModelFile[],
  kind: Kind,
  scale: number,
  speed: 'best' | 'fast' = 'best',
): ModelFile | undefined =>
  files.find((file) => file.kind === kind && file.scale === scale && file[speed]);

/**
 * Finds the default model for a scale: the photo model if there is one, otherwise the clean model.
 * On JPEG files, clean models produce worse results than photo models. At a JPEG quality of 60 or
 * less, their results are even worse than those of bicubic interpolation.
 * @throws CrispenError `INVALID_INPUT` if no photo or clean model has this scale.
 */
export function defaultIn(
  files: readonly ModelFile[],
  scale: number,
  speed: 'best' | 'fast' = 'best',
): ModelFile {
  const model = kindIn(files, 'photo', scale, speed) ?? kindIn(files, 'clean', scale, speed);
  if (model) return model;
  throw new CrispenError('INVALID_INPUT', `No model enlarges by ${scale}.`, {
    hint: 'Choose scale 2, 3 or 4.',
  });
}
