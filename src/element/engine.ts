/** What the element loads when the first picture is worth it. */
import { CrispenError } from '../errors.ts';
import { defaultModel } from '../models/files.ts';

export { createUpscaler } from '../worker/client.ts';

/**
 * Id of the shipped model for a task: `photo`, or `clean` for pictures that were never saved as JPEG.
 * @throws CrispenError `INVALID_INPUT` for other tasks and for scales that no model has
 */
export function modelFor(task: string, scale: number): string {
  const { id } = defaultModel(scale);
  if (task === 'photo') return id;
  if (task === 'clean') return `a2n-x${scale}`;
  throw new CrispenError('INVALID_INPUT', `There is no task "${task}".`, {
    hint: 'Choose photo or clean.',
  });
}
