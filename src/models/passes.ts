import { CrispenError } from '../errors.ts';
import { defaultModel, findModel, MODEL_FILES, type ModelFile } from './files.ts';

/**
 * The scales of the networks to run, one after the other, so that their product is at least
 * `factor`: as few as possible, of these the smallest product, the smaller scale first since the
 * later network works on the larger image. None for a factor of at most 1, unless there is a
 * network of scale 1 alone, which improves and does not enlarge.
 *
 * @param scales of the networks that there are
 * @throws CrispenError `INVALID_INPUT` if no number of them reaches the factor.
 */
export function choosePasses(factor: number, scales: readonly number[]): number[] {
  const sorted = [...new Set(scales)].sort((a, b) => a - b);
  const most = sorted.at(-1) ?? 1;
  if (factor <= 1) return most === 1 ? sorted : [];
  if (most === 1) {
    throw new CrispenError('INVALID_INPUT', 'This model does not enlarge.', {
      hint: 'Leave the size out or choose another model.',
    });
  }
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
 * belongs to (`a2n-photo-x2` stands for `a2n-photo` at any scale), or the default models.
 * @throws CrispenError `MODEL_UNKNOWN`
 */
export function modelsFor(factor: number, model?: string): ModelFile[] {
  const chosen = model === undefined ? null : findModel(model);
  const entries = chosen
    ? MODEL_FILES.filter(({ id }) => family(id) === family(chosen.id))
    : [2, 3, 4].map(defaultModel);
  const scales: number[] = entries.map(({ scale }) => scale);
  return choosePasses(factor, scales).map((scale) => entries[scales.indexOf(scale)]);
}

const productOf = (scales: readonly number[]): number => scales.reduce((a, b) => a * b, 1);
