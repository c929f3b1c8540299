import { checkValue, invalid } from '../../options.ts';
import { isCanvasElement, isOffscreenCanvas } from './realm.ts';

const CANVAS = {
  kind: 'canvas',
  wants: 'a canvas element or an OffscreenCanvas',
  accepts: (value: unknown) => isCanvasElement(value) || isOffscreenCanvas(value),
};

/**
 * @throws CrispenError `INVALID_INPUT` for anything but a canvas; a canvas from another realm is
 *   valid
 */
export function checkCanvas(canvas: HTMLCanvasElement | OffscreenCanvas): void {
  checkValue('The canvas', canvas, CANVAS);
}

/**
 * Takes control of a canvas and returns an offscreen canvas that can be sent to the worker.
 * @throws CrispenError `INVALID_INPUT` if the canvas has a context or was transferred before
 */
export function takeOver(canvas: HTMLCanvasElement | OffscreenCanvas): OffscreenCanvas {
  try {
    if (isCanvasElement(canvas)) return canvas.transferControlToOffscreen();
    // This call throws if the canvas cannot be transferred, so the error occurs on the page, not in
    // the worker.
    return structuredClone(canvas, { transfer: [canvas] });
  } catch (cause) {
    throw invalid(
      'The worker cannot draw on this canvas.',
      'Give a new canvas, without a context and not used for a result before.',
      cause,
    );
  }
}
