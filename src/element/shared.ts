/** What all elements of a page share: one upscaler, hence one worker and one GPU device. */

import type { Restoration } from '../catalog/task.ts';
import type { CrispenError } from '../errors.ts';
import type { JobOptions, Upscaler, UpscalerOptions } from '../worker/page/client.ts';
import { Scheduler } from './scheduler.ts';

/** A model on the GPU. */
export interface ReadyModel {
  readonly id: string;
  /** Of a model by address: what its file was found to be, for people. */
  readonly name: string;
  readonly scale: number;
}

/** An upscaler and the models that it has been given. */
export interface Tool {
  readonly upscaler: Upscaler;
  /** Why nothing can be enlarged here, found out before any weights are fetched. */
  readonly refusal: CrispenError | null;
  /** Id of the shipped model for a task at a scale. @throws CrispenError `INVALID_INPUT` */
  readonly modelFor: (task: string, scale: number) => string;
  readonly models: Map<string, ReadyModel>;
}

/** What elements say to people, for translation. */
export interface Words {
  enlarging: string;
  enlarged: string;
  restoring: string;
  restored: string;
  unchanged: string;
  divider: string;
  dividerRestored: string;
  /** Where the divider stands, with percentages for `{original}` and `{result}`. */
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

/** Keys are base URLs, empty for the default. */
export const scheduler = new Scheduler<Tool>(
  async (key) => {
    // Not before the first picture is worth it: the page has painted by then.
    const { createUpscaler, modelFor } = await import('./engine.ts');
    const baseUrl = key === '' ? {} : { baseUrl: key };
    const upscaler = createUpscaler({ ...settings.options, ...baseUrl });
    const { backend, reason } = await upscaler.detect();
    return { upscaler, refusal: backend === 'none' ? reason : null, modelFor, models: new Map() };
  },
  ({ upscaler }) => upscaler.destroy(),
  () => settings.idleMs,
);

/** Whether `model` is the address of a weight file and not an id. */
export const isAddress = (model: string): boolean => /\/|\.(pth|pt|ckpt|safetensors)$/i.test(model);

/**
 * A model by id or by address, loaded once per tool.
 * @param scale for addresses: taken where the file cannot tell
 * @param options.task what a file of scale 1 is for
 * @throws CrispenError as `Upscaler.addModel` and `Upscaler.preload`
 */
export async function readyModel(
  { upscaler, models }: Tool,
  model: string,
  scale: number,
  { task, ...options }: JobOptions & { readonly task?: Restoration | undefined },
): Promise<ReadyModel> {
  const key = `${model} ${task}`;
  const known = models.get(key);
  if (known) return known;
  const ready = isAddress(model)
    ? await upscaler.addModel(model, { ...options, task, likelyScale: scale })
    : { id: model, name: model, scale };
  await upscaler.preload(ready.id, options);
  const { id, name } = ready;
  const entry = { id, name, scale: ready.scale };
  models.set(key, entry);
  return entry;
}
