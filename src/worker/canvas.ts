import { CrispenError } from '../errors.ts';

/**
 * Control of a canvas, to be sent to the worker: of an element, or an offscreen canvas itself.
 * @throws CrispenError `INVALID_INPUT` where it has a context or was given away before
 */
export function takeOver(canvas: HTMLCanvasElement | OffscreenCanvas): OffscreenCanvas {
  try {
    if (canvas instanceof HTMLCanvasElement) return canvas.transferControlToOffscreen();
    // What cannot be transferred is found out here, where it can still be told.
    return structuredClone(canvas, { transfer: [canvas] });
  } catch (cause) {
    throw new CrispenError('INVALID_INPUT', 'This canvas cannot be drawn to from the worker.', {
      hint: 'Give a new canvas: one without a context, that took no result before.',
      cause,
    });
  }
}
