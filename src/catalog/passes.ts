import { internal } from '../errors.ts';
import { defaultIn, findIn, type ModelFile } from './find.ts';

/**
 * Returns the scales of the networks to run, in order. Their product is at least `factor`. The list
 * is as short as possible. Among lists of the same length, the one with the smallest product is
 * chosen. Smaller scales come first, so that the input of each network is as small as possible. The
 * list is empty for a factor of at most 1.
 *
 * @param factor a finite number
 * @param scales the scales of the available networks: at least one, each above 1
 */
export function choosePasses(factor: number, scales: readonly number[]): number[] {
  if (factor <= 1) return [];
  // With invalid arguments, the loop below would not end.
  if (!Number.isFinite(factor) || !scales.every((scale) => scale > 1) || scales.length === 0) {
    throw internal(`no networks of ${scales} reach ${factor}`);
  }
  const sorted = [...new Set(scales)].sort((a, b) => a - b);
  // The tolerance allows for rounding errors in `factor`.
  const enough = (product: number) => product >= factor * (1 - 1e-9);
  let chains: number[][] = [[]];
  for (;;) {
    // Smaller scales must come first, so only chains in ascending order are built.
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
 * Returns the models to run for a factor, in order. If `model` is given, they belong to its family
 * (`a2n-photo-x2` means `a2n-photo` at any scale). Otherwise, they are the default models. A
 * restoration model runs first, whatever the factor is, and the default models follow.
 * @throws CrispenError `MODEL_UNKNOWN`
 */
export function modelsFor(
  files: readonly ModelFile[],
  factor: number,
  model?: string,
): ModelFile[] {
  const chosen = model === undefined ? null : findIn(files, model);
  if (chosen?.scale === 1) return [chosen, ...modelsFor(files, factor)];
  const entries = chosen
    ? files.filter(({ id }) => family(id) === family(chosen.id))
    : [2, 3, 4].map((scale) => defaultIn(files, scale));
  const scales: number[] = entries.map(({ scale }) => scale);
  return choosePasses(factor, scales).map((scale) => entries[scales.indexOf(scale)]);
}

/**
 * Returns the models to run, in order, for a user's own `model`, which is not one of `files`. A
 * restoration model runs once, before the default models. Any other model runs repeatedly, until
 * the image is enlarged by at least `factor`.
 */
export const modelsAfter = <M extends { readonly scale: number }>(
  files: readonly ModelFile[],
  factor: number,
  model: M,
): (M | ModelFile)[] =>
  model.scale === 1
    ? [model, ...modelsFor(files, factor)]
    : choosePasses(factor, [model.scale]).map(() => model);

const productOf = (scales: readonly number[]): number => scales.reduce((a, b) => a * b, 1);
