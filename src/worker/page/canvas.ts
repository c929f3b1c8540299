import { checkValue, invalid } from '../../options.ts';
import { isCanvasElement, isOffscreenCanvas } from './realm.ts';

const CANVAS = {
  kind: 'canvas',
  wants: 'a canvas element or an OffscreenCanvas',
  accepts: (value: unknown) => isCanvasElement(value) || isOffscreenCanvas(value),
};

/** @throws CrispenError `INVALID_INPUT` for anything but a canvas, of whatever realm */
export function checkCanvas(canvas: HTMLCanvasElement | OffscreenCanvas): void {
  checkValue('The canvas', canvas, CANVAS);
}

/**
 * Control of a canvas, to be sent to the worker: of an element, or an offscreen canvas itself.
 * @throws CrispenError `INVALID_INPUT` where it has a context or was given away before
 */
export function takeOver(canvas: HTMLCanvasElement | OffscreenCanvas): OffscreenCanvas {
  try {
    if (isCanvasElement(canvas)) return canvas.transferControlToOffscreen();
    // What cannot be transferred is found out here, where it can still be told.
    return structuredClone(canvas, { transfer: [canvas] });
  } catch (cause) {
    throw invalid(
      'The worker cannot draw on this canvas.',
      'Give a new canvas, without a context and not used for a result before.',
      cause,
    );
  }
}
