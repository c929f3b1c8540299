import { CrispenError } from '../errors.ts';
import type { PlanChoice } from './request.ts';

/** @throws CrispenError `INVALID_INPUT` if a result cannot go where the request says. */
export function checkTarget({ to, output }: PlanChoice): void {
  if (to && (to instanceof WritableStream ? to.locked : to.kind !== 'file')) {
    throw new CrispenError('INVALID_INPUT', 'A result cannot be written there.', {
      hint: 'Give a file handle or an unlocked stream.',
    });
  }
  if (output === 'bitmap') {
    throw new CrispenError('INVALID_INPUT', 'A bitmap goes to no file.', {
      hint: 'Leave the output out or choose a file type.',
    });
  }
}

/** Removes a file that a picker has just made; one that held something holds it still. */
export async function removeEmpty(file: FileSystemFileHandle & { remove?(): Promise<void> }) {
  try {
    if ((await file.getFile()).size === 0) await file.remove?.();
  } catch {
    // Gone already, or not allowed: the first error is the one to tell.
  }
}
