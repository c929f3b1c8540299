import { CrispenError } from '../errors.ts';
import { defaultModel, findModel, MODEL_FILES, type ModelFile } from './files.ts';
import type { Restoration } from './task.ts';

/**
 * The scales of the networks to run, one after the other, so that their product is at least
 * `factor`: as few as possible, of these the smallest product, the smaller scale first since the
 * later network works on the larger image. None for a factor of at most 1.
 *
 * @param factor finite
 * @param scales of the networks that there are, above 1, at least one
 */
export function choosePasses(factor: number, scales: readonly number[]): number[] {
  if (factor <= 1) return [];
  // Nothing would ever be enough, or everything grow for ever.
  if (!Number.isFinite(factor) || !scales.every((scale) => scale > 1) || scales.length === 0) {
    throw new Error(`no networks of ${scales} reach ${factor}`);
  }
  const sorted = [...new Set(scales)].sort((a, b) => a - b);
  // Room for the rounding of factors such as 1 / 3 * 3.
  const enough = (product: number) => product >= factor * (1 - 1e-9);
  let chains: number[][] = [[]];
  for (;;) {
    // Ascending chains only: the order within one is settled.
    chains = chains.flatMap((chain) =>
      sorted.filter((scale) => scale >= (chain.at(-1) ?? 0)).map((scale) => [...chain, scale]),
    );
    const reaching = chains.filter((chain) => enough(productOf(chain)));
    if (reaching.length > 0) {
      return reaching.reduce((best, chain) => (productOf(chain) < productOf(best) ? chain : best));
    }
  }
}

const family = (id: string): string => id.replace(/-x\d+$/, '');

/**
 * The shipped models to run one after the other for a factor: those of the family that `model`
 * belongs to (`a2n-photo-x2` stands for `a2n-photo` at any scale), or the default models. A model that
 * restores comes first, at any factor, and the default models after it.
 * @throws CrispenError `MODEL_UNKNOWN`
 */
export function modelsFor(factor: number, model?: string): ModelFile[] {
  const chosen = model === undefined ? null : findModel(model);
  if (chosen?.scale === 1) return [chosen, ...modelsFor(factor)];
  const entries = chosen
    ? MODEL_FILES.filter(({ id }) => family(id) === family(chosen.id))
    : [2, 3, 4].map((scale) => defaultModel(scale));
  const scales: number[] = entries.map(({ scale }) => scale);
  return choosePasses(factor, scales).map((scale) => entries[scales.indexOf(scale)]);
}

/** The same for a model that is not shipped: it is run as often as it takes, if it does not restore. */
export const modelsAfter = <M extends { readonly scale: number }>(
  factor: number,
  model: M,
): (M | ModelFile)[] =>
  model.scale === 1
    ? [model, ...modelsFor(factor)]
    : choosePasses(factor, [model.scale]).map(() => model);

/** The shipped model of a task. @throws CrispenError `MODEL_UNKNOWN` */
export function restorationModel(task: Restoration): ModelFile {
  const entry = MODEL_FILES.find((file) => file.task === task);
  if (entry) return entry;
  throw new CrispenError('MODEL_UNKNOWN', `No model of this version serves the task "${task}".`, {
    hint: 'Add a weight file of scale 1 that does, and name it as the model.',
  });
}

const productOf = (scales: readonly number[]): number => scales.reduce((a, b) => a * b, 1);
