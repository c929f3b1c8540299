import { CrispenError } from '../errors.ts';

/**
 * What is done to an image: `upscale` makes it larger; the others keep its size by a network of scale 1,
 * which takes away noise, or the blocks and halos of JPEG compression, or finds the colours that a
 * sensor behind a Bayer filter did not see (`demosaic`, of a `BayerMosaic`; no shipped model yet).
 */
export type Task = 'upscale' | 'denoise' | 'dejpeg' | 'demosaic';

/** A task by a network of scale 1. */
export type Restoration = Exclude<Task, 'upscale'>;

/** Of a model that somebody added; `restore`: of scale 1, and its file does not tell what for. */
export type AddedTask = Task | 'restore';

export const TASKS: readonly Task[] = ['upscale', 'denoise', 'dejpeg', 'demosaic'];

/**
 * @param model `task`: its own
 * @throws CrispenError `INVALID_INPUT` if it does not serve the task.
 */
export function checkServes(
  { id, task: own }: { readonly id: string; readonly task: AddedTask },
  task: Task,
): void {
  if (own === task || (own === 'restore' && task !== 'upscale')) return;
  throw new CrispenError('INVALID_INPUT', `The model ${id} is for "${own}", not for "${task}".`, {
    hint: 'Leave the model out, or the task.',
  });
}

/**
 * The task of a weight file: its scale tells whether it restores, what of somebody who knows, or its
 * name.
 * @throws CrispenError `MODEL_UNSUPPORTED` if a network of its scale cannot do what is asked.
 */
export function taskOfFile(scale: number, name: string, asked?: Task): AddedTask {
  if (asked !== undefined && (asked === 'upscale') === (scale === 1)) {
    const does = scale === 1 ? 'keeps the size of an image' : `enlarges by ${scale}`;
    throw new CrispenError('MODEL_UNSUPPORTED', `The network of ${name} ${does}.`, {
      hint: `It cannot serve the task "${asked}": leave the task out.`,
    });
  }
  if (asked !== undefined) return asked;
  if (scale > 1) return 'upscale';
  if (/jpe?g|artifact/i.test(name)) return 'dejpeg';
  if (/mosaic/i.test(name)) return 'demosaic';
  return /noise/i.test(name) ? 'denoise' : 'restore';
}
