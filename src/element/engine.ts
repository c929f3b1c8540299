/** The part of `<crispen-image>` that is loaded only when the first image needs it. */

import { defaultModel, MODEL_FILES, restorationModel } from '../catalog/files.ts';
import { kindIn } from '../catalog/find.ts';
import { invalid } from '../options.ts';

export { createUpscaler } from '../worker/page/client.ts';

/**
 * Returns the id of the shipped model for one of the element's tasks. `upscale` is another name for
 * `photo`, and `clean` is for images that were never saved as JPEG. `denoise` and `dejpeg` each
 * have one model for all scales.
 * @throws CrispenError `INVALID_INPUT` for other tasks and for scales that no model has,
 *   `MODEL_UNKNOWN` for a restoration that no shipped model performs
 */
export function modelFor(task: string, scale: number): string {
  if (task === 'denoise' || task === 'dejpeg') return restorationModel(task).id;
  const model = defaultModel(scale);
  if (task === 'photo' || task === 'upscale') return model.id;
  if (task === 'clean') return (kindIn(MODEL_FILES, 'clean', scale) ?? model).id;
  throw invalid(`There is no task "${task}".`, 'Choose photo, clean, denoise or dejpeg.');
}
