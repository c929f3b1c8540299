import { kindIn, type ModelFile } from './find.ts';

/** The fast models run if the best models would take longer than this many milliseconds. */
export const AUTO_MS = 3000;

/** The choice that `model: 'auto'` made for an image. */
export interface AutoChoice {
  /** Whether the best or the fast models ran. */
  readonly speed: 'best' | 'fast';
  /**
   * The estimated time that the best models would take for this image on this machine, in
   * milliseconds. Null if the best and the fast models are the same, or if the machine's speed was
   * unknown.
   */
  readonly bestMs: number | null;
  /**
   * The ids of the models that could have run instead, in the order in which they would have run.
   * The list is empty if the best and the fast models are the same.
   */
  readonly others: readonly string[];
}

/**
 * Chooses between the best models and the fast models. One choice applies to all models that run
 * for an image. If the fast models run, each best model is replaced with the fast model of the same
 * kind (such as `photo`) and scale. Restoration models have no kind, so they are never replaced. If
 * there is no estimate, the best models run.
 *
 * @param files the shipped models
 * @param best the best models, in the order in which they run
 * @param made converts a shipped model to the type of the models in `best`
 * @param estimate returns the estimated time that the given models take, in milliseconds, or null
 *   if the time is unknown; may reject. It is called only if the best and the fast models differ.
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
