import { CrispenError } from '../errors.ts';

/**
 * The task for an image. `upscale` enlarges it. The other tasks keep its size and use a network of
 * scale 1: `denoise` removes noise, `dejpeg` removes JPEG artifacts, `dehalo` removes sharpening
 * halos, `deband` removes steps in gradients, `deblur` sharpens, and `demosaic` computes the
 * missing colours of raw Bayer data (see `BayerMosaic`). Shipped models exist for `upscale`,
 * `denoise` and `dejpeg`. For any other task, the user has to add a model.
 */
export type Task = 'upscale' | Restoration;

/** A task for a network of scale 1. */
export type Restoration = 'denoise' | 'dejpeg' | 'dehalo' | 'deband' | 'deblur' | 'demosaic';

/** Words in a weight file's name that indicate the network's task. The first match is used. */
const NAMED: readonly (readonly [Restoration, RegExp])[] = [
  ['dejpeg', /jpe?g|artifact/i],
  ['demosaic', /mosaic/i],
  ['dehalo', /halo/i],
  ['deband', /deband|banding/i],
  ['deblur', /blur/i],
  ['denoise', /noise|grain/i],
];

/**
 * The task of an added model. `restore` means that the scale is 1 and the file's name does not
 * indicate the task.
 */
export type AddedTask = Task | 'restore';

export const TASKS: readonly Task[] = ['upscale', ...NAMED.map(([task]) => task)];

/**
 * Checks that a model can do a task.
 * @param model the model's id, and the task that the model was made for
 * @throws CrispenError `INVALID_INPUT` if the model cannot do the task.
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
 * Finds the task of a weight file. A network of scale 1 restores images. Its task is `asked` or, if
 * that is absent, the task that the file's name indicates.
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
  return NAMED.find(([, words]) => words.test(name))?.[0] ?? 'restore';
}
