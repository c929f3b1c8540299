/**
 * Applies a task to a request. This module is loaded lazily, because most requests have no task.
 */

import { restorationModel } from '../../catalog/files.ts';
import { checkServes } from '../../catalog/task.ts';
import { invalid } from '../../options.ts';
import type { ModelChoice } from './options.ts';
import { type Choosable, chooseModel } from './request.ts';
import { isMosaic, type UpscaleSource } from './source.ts';

/**
 * If the request has a restoration task but no model, adds the task's model. If it has a model,
 * checks that the model can be used for the task.
 * @param source the image; for the task `demosaic`, it must be raw Bayer data
 * @throws CrispenError `INVALID_INPUT` for a model, a method or a source that cannot be used for
 *   the task; `MODEL_UNKNOWN`
 */
export function forTask<R extends ModelChoice & { readonly method?: string | undefined }>(
  request: R,
  added: readonly Choosable[] = [],
  source?: UpscaleSource,
): R {
  const { model, method, task } = request;
  if (task === undefined) return request;
  if (task !== 'upscale' && method === 'lanczos') {
    throw invalid(`Lanczos cannot do the task "${task}".`, 'Leave the method out.');
  }
  if (task === 'demosaic' && source !== undefined && !isMosaic(source)) {
    throw invalid(
      'This image is not raw Bayer data.',
      'Give the samples of the sensor: { width, height, data, pattern }.',
    );
  }
  if (model !== undefined) checkServes(chooseModel({ model }, added), task);
  else if (task !== 'upscale') return { ...request, model: restorationModel(task).id };
  return request;
}
