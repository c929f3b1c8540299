import { kindIn, type ModelFile } from './find.ts';

/** If the best models would take longer than this, the fast models run instead. */
export const AUTO_MS = 3000;

/** The choice that `model: 'auto'` made for an image. */
export interface AutoChoice {
  /** The models of the catalog that ran: the best models or the fast models. */
  readonly speed: 'best' | 'fast';
  /**
   * The estimated time in milliseconds that the best models need for this image on this machine.
   * Null if there was no choice or the machine could not be measured.
   */
  readonly bestMs: number | null;
  /**
   * The models that could have run instead, in order. Empty if the best models are also the fast
   * models.
   */
  readonly others: readonly string[];
}

/**
 * Chooses between the best models and the fast models, once for all runs of an image. Restoring
 * models have no kind and are not replaced. The best models run if the estimate is unknown.
 *
 * @param files the shipped models
 * @param best the models of the runs, in order
 * @param made turns a shipped model into a model of the chain
 * @param estimate returns the milliseconds that models need, or null if they are unknown; it may
 *   fail. It is called only if there is a choice.
 */
export async function chooseSpeed<M extends { readonly id: string }>(
  files: readonly ModelFile[],
  best: readonly M[],
  made: (file: ModelFile) => M,
  estimate: (models: readonly M[]) => Promise<number | null>,
): Promise<{ readonly models: readonly M[]; readonly auto: AutoChoice }> {
  const fast = best.map((model) => {
    const own = files.find(({ id }) => id === model.id);
    const quick = own?.kind && kindIn(files, own.kind, own.scale, 'fast');
    return quick && quick !== own ? made(quick) : model;
  });
  const differ = fast.some((model, i) => model !== best[i]);
  const bestMs = differ ? await estimate(best).catch(() => null) : null;
  const isFast = Number(bestMs) > AUTO_MS;
  const [models, others] = isFast ? [fast, best] : [best, fast];
  const ids = differ ? others.map(({ id }) => id) : [];
  return { models, auto: { speed: isFast ? 'fast' : 'best', bestMs, others: ids } };
}
