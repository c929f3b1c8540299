import { kindIn, type ModelFile } from './find.ts';

/** Where the best models would take longer, the fast ones run. */
export const AUTO_MS = 3000;

/** What `model: 'auto'` chose for an image. */
export interface AutoChoice {
  /** Which models of the catalog ran: the best ones, or the fast ones. */
  readonly speed: 'best' | 'fast';
  /**
   * Estimated milliseconds of the best models for this image on this machine. Null: there was nothing to
   * choose, or the machine could not be measured.
   */
  readonly bestMs: number | null;
  /** The models that could have run instead, in order. Empty: the best models are the fast ones. */
  readonly others: readonly string[];
}

/**
 * Chooses between the best models and the fast ones for one image, for all runs together. A model without
 * a kind, which restores, stays as it is. The best ones run if nothing is known about the machine.
 *
 * @param files the shipped models
 * @param best the models of the runs, in order
 * @param made a shipped model as one of a run
 * @param estimate milliseconds of models; null or a failure: unknown. Only asked where there is a choice
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
