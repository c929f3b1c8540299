/**
 * The state that all `<crispen-image>` elements on a page share: the settings, and one upscaler for
 * each base URL, with its worker and GPU device.
 */

import type { Restoration } from '../catalog/task.ts';
import type { CrispenError } from '../errors.ts';
import type { AddOptions, JobOptions, Upscaler, UpscalerOptions } from '../worker/page/client.ts';
import { restorationOf } from './attributes.ts';
import { Scheduler } from './scheduler.ts';

/** A loaded model. */
export interface ReadyModel {
  readonly id: string;
  /** The model's name; for a model from a URL, a description of its file. */
  readonly name: string;
  readonly scale: number;
}

/** An upscaler and the models that it has loaded. */
export interface Tool {
  readonly upscaler: Upscaler;
  /**
   * The reason why images cannot be enlarged in this browser, or null. It is determined before any
   * weights are downloaded.
   */
  readonly refusal: CrispenError | null;
  /**
   * Returns the id of the shipped model for a task at a scale.
   * @throws CrispenError in the same cases as `modelFor` in `engine.ts`
   */
  readonly modelFor: (task: string, scale: number) => string;
  readonly models: Map<string, ReadyModel>;
}

/** The element's text for visitors. It can be translated. */
export interface Words {
  enlarging: string;
  enlarged: string;
  restoring: string;
  restored: string;
  unchanged: string;
  divider: string;
  dividerRestored: string;
  /**
   * The text for the divider's position, with the placeholders `{original}` and `{result}` for the
   * percentages.
   */
  position: string;
  positionRestored: string;
}

export const settings: {
  options: Omit<UpscalerOptions, 'baseUrl'>;
  idleMs: number;
  words: Words;
} = {
  options: {},
  idleMs: 10_000,
  words: {
    enlarging: 'Enlarging',
    enlarged: 'Enlarged',
    restoring: 'Cleaning up',
    restored: 'Cleaned up',
    unchanged: 'Shown as it was',
    divider: 'Original and enlarged',
    dividerRestored: 'Original and cleaned up',
    position: '{original} % original, {result} % enlarged',
    positionRestored: '{original} % original, {result} % cleaned up',
  },
};

/** Returns the element's text for a task. All tasks that restore images have the same text. */
export function wordsFor(task: string) {
  const { words } = settings;
  return restorationOf(task)
    ? {
        doing: words.restoring,
        done: words.restored,
        divider: words.dividerRestored,
        position: words.positionRestored,
      }
    : {
        doing: words.enlarging,
        done: words.enlarged,
        divider: words.divider,
        position: words.position,
      };
}

/**
 * The scheduler that all elements share. Its keys are base URLs. The empty key means the default
 * base URL.
 */
export const scheduler = new Scheduler<Tool>(
  async (key) => {
    // `engine.ts` is loaded when the first image needs it. By then, the page has already been
    // painted.
    const { createUpscaler, modelFor } = await import('./engine.ts');
    const baseUrl = key === '' ? {} : { baseUrl: key };
    const upscaler = createUpscaler({ ...settings.options, ...baseUrl });
    const { backend, reason } = await upscaler.detect();
    return { upscaler, refusal: backend === 'none' ? reason : null, modelFor, models: new Map() };
  },
  ({ upscaler }) => upscaler.destroy(),
  () => settings.idleMs,
);

/** Returns whether `model` is a weight file's URL rather than an id. */
export const isAddress = (model: string): boolean => /\/|\.(pth|pt|ckpt|safetensors)$/i.test(model);

/**
 * Loads a model by id or by URL, unless the tool has already loaded it.
 * @param scale for URLs: the scale that is used if the file does not determine it
 * @param options.task for URLs: the model's task, if it restores images
 * @throws CrispenError in the same cases as `Upscaler.addModel` and `Upscaler.preload`
 */
export async function readyModel(
  { upscaler, models }: Tool,
  model: string,
  scale: number,
  {
    task,
    integrity,
    ...options
  }: JobOptions &
    Pick<AddOptions, 'integrity'> & {
      readonly task?: Restoration | undefined;
    },
): Promise<ReadyModel> {
  const key = JSON.stringify([model, task, integrity]);
  const known = models.get(key);
  if (known) return known;
  const ready = isAddress(model)
    ? await upscaler.addModel(model, { ...options, task, integrity, likelyScale: scale })
    : { id: model, name: model, scale };
  await upscaler.preload(ready.id, options);
  const { id, name } = ready;
  const entry = { id, name, scale: ready.scale };
  models.set(key, entry);
  return entry;
}
