import { CrispenError } from '../errors.ts';

/**
 * What to do to an image. `upscale` enlarges it. The others keep its size and use a network of
 * scale 1: `denoise` removes noise, `dejpeg` removes JPEG artifacts, and `demosaic` computes the
 * missing colours of raw Bayer data (`BayerMosaic`; there is no shipped model yet).
 */
export type Task = 'upscale' | 'denoise' | 'dejpeg' | 'demosaic';

/** A task for a network of scale 1. */
export type Restoration = Exclude<Task, 'upscale'>;

/**
 * The task of an added model. `restore`: the scale is 1, and the file does not say what it
 * restores.
 */
export type AddedTask = Task | 'restore';

export const TASKS: readonly Task[] = ['upscale', 'denoise', 'dejpeg', 'demosaic'];

/**
 * @param model `task`: the model's own task
 * @throws CrispenError `INVALID_INPUT` if the model does not serve the task.
 */
export function checkServes(
  { id, task: own }: { readonly id: string; readonly task: AddedTask },
  task: Task,
): void {
  if (own === task || (own === 'restore' && task !== 'upscale')) return;
  throw new CrispenError('INVALID_INPUT', `The model ${id} is for "${own}", not for "${task}".`, {
    hint: 'Leave out the model or the task.',
  });
}

/**
 * The task of a weight file. Its scale says whether it restores. What it restores follows from
 * `asked` or from the file's name.
 * @throws CrispenError `MODEL_UNSUPPORTED` if a network of this scale cannot do the task.
 */
export function taskOfFile(scale: number, name: string, asked?: Task): AddedTask {
  if (asked !== undefined && (asked === 'upscale') === (scale === 1)) {
    const does = scale === 1 ? 'keeps the size of an image' : `enlarges by ${scale}`;
    throw new CrispenError('MODEL_UNSUPPORTED', `The network of ${name} ${does}.`, {
      hint: `It cannot do the task "${asked}": leave the task out.`,
    });
  }
  if (asked !== undefined) return asked;
  if (scale > 1) return 'upscale';
  if (/jpe?g|artifact/i.test(name)) return 'dejpeg';
  if (/mosaic/i.test(name)) return 'demosaic';
  return /noise/i.test(name) ? 'denoise' : 'restore';
}
