/** Shows a preview of an image file that the user selects, before any upload. */
import type { OutputType } from '../codecs/formats.ts';
import { CrispenError } from '../errors.ts';
import { callback, checkOptions, checkValue, invalid, type Rules, shaped } from '../options.ts';
import type { UpscaleRequest, Upscaler } from '../worker/page/client.ts';
import { CALLS } from '../worker/page/options.ts';
import { isCanvasElement, isInputElement } from '../worker/page/realm.ts';

export type PreviewStage = 'drawn' | 'refined';

export interface PreviewOptions {
  /**
   * The canvas for the image. The image is scaled to fit the canvas's box and keeps its aspect
   * ratio.
   */
  readonly canvas: HTMLCanvasElement;
  /** Default: a new upscaler, which is created when an image needs it and destroyed by `detach`. */
  readonly upscaler?: Upscaler;
  /**
   * How images that are smaller than the canvas are enlarged. By default, the best photo model
   * enlarges them at x2. The model `auto` has the same meaning as for `Upscaler.upscale`.
   */
  readonly request?: Pick<UpscaleRequest, 'model' | 'scale' | 'onProgress'>;
  /**
   * Called at two stages. `drawn` means that the image is visible, scaled by the browser. `refined`
   * means that the image is visible in its final quality.
   */
  readonly onStage?: (stage: PreviewStage, file: File) => void;
  /** Called if an error occurs. The image on the canvas does not change. */
  readonly onError?: (error: CrispenError, file: File) => void;
}

export interface FileOptions {
  /** The file type; default `image/png`. */
  readonly type?: OutputType;
  /** The quality from 0 to 1, ignored for PNG; default 0.92. */
  readonly quality?: number;
}

export interface Preview {
  /**
   * Returns the selected image as a file. The image is enlarged if it is smaller than the canvas;
   * otherwise, it is reduced to the canvas's size.
   * @throws CrispenError `INVALID_INPUT` if no image is selected; any error from enlarging or
   *   encoding
   */
  toBlob(options?: FileOptions): Promise<Blob>;
  /** Stops listening to the input and cancels any work. The canvas does not change. */
  detach(): void;
}

const INPUT = { kind: 'input', wants: 'a file input', accepts: isInputElement };
const RULES: Rules<PreviewOptions> = {
  canvas: { kind: 'canvas', wants: 'a canvas element', accepts: isCanvasElement },
  upscaler: shaped('upscaler', 'an upscaler', { upscale: 'function', encode: 'function' }),
  request: shaped('options', 'an object', {}),
  onStage: callback,
  onError: callback,
};
const { model, scale, onProgress } = CALLS.upscale;
const REQUEST: Rules<NonNullable<PreviewOptions['request']>> = { model, scale, onProgress };
const { type, quality } = CALLS.encode;
const FILE: Rules<FileOptions> = { type, quality };

/**
 * Shows the image that the user selects in a file input. Nothing is sent to a server. The decoded
 * image is drawn immediately. Then, a better version replaces it: an enlargement by a network if
 * the image has fewer pixels than the canvas shows, otherwise a high-quality reduction.
 *
 * @throws CrispenError `INVALID_INPUT` for invalid options or if `input` is not a file input
 */
export function attachPreview(input: HTMLInputElement, options: PreviewOptions): Preview {
  checkValue('The input', input, INPUT);
  const given = checkOptions('attachPreview', options, RULES);
  const { upscaler: shared, onStage, onError } = given;
  const canvas = checkValue('The option canvas', given.canvas, RULES.canvas);
  const request = checkOptions('The request', given.request, REQUEST);
  let own: Promise<Upscaler> | null = null;
  let controller = new AbortController();
  let refined: Promise<ImageBitmap> | null = null;

  const upscaler = async (): Promise<Upscaler> => {
    if (shared) return shared;
    own ??= import('./engine.ts').then(({ createUpscaler }) => createUpscaler());
    return own;
  };

  const stop = () => {
    controller.abort();
    void refined?.then((bitmap) => bitmap.close()).catch(() => {});
    refined = null;
  };

  const pick = () => {
    stop();
    controller = new AbortController();
    const file = input.files?.[0];
    if (!file) return canvas.getContext('2d')?.clearRect(0, 0, canvas.width, canvas.height);
    const { signal } = controller;
    refined = show(file, signal);
    refined.catch((error: unknown) => {
      if (!signal.aborted) onError?.(CrispenError.from(error, 'DECODE_FAILED'), file);
    });
  };

  const show = async (file: File, signal: AbortSignal): Promise<ImageBitmap> => {
    const bitmap = await decode(file);
    const { width, height, enlarging } = fitInto(canvas, bitmap);
    const put = (image: ImageBitmap, stage: PreviewStage) => {
      if (signal.aborted) {
        image.close();
        throw new CrispenError('ABORTED', 'Another image was picked.');
      }
      draw(canvas, image, width, height);
      onStage?.(stage, file);
      return image;
    };
    put(bitmap, 'drawn');
    if (enlarging) {
      bitmap.close();
      const { image } = await (await upscaler()).upscale(file, { ...request, signal });
      return put(image as ImageBitmap, 'refined');
    }
    const resize = { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' } as const;
    const small = await createImageBitmap(bitmap, resize).finally(() => bitmap.close());
    return put(small, 'refined');
  };

  input.addEventListener('change', pick);
  if (input.files?.length) pick();
  return {
    async toBlob(options) {
      const given = checkOptions('toBlob', options, FILE);
      if (!refined) throw invalid('No image is picked.', 'Ask for the file after onStage.');
      return (await upscaler()).encode(await refined, { type: 'image/png', ...given });
    },
    detach() {
      input.removeEventListener('change', pick);
      stop();
      void own?.then((upscaler) => upscaler.destroy());
      own = null;
    },
  };
}

async function decode(file: File): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch (cause) {
    const message = `${file.name} is not an image that this browser can show.`;
    const hint = 'Pick a PNG, JPEG, WebP, AVIF or GIF file.';
    throw new CrispenError('DECODE_FAILED', message, { hint, cause });
  }
}

/** Returns the size in device pixels at which an image fits into the canvas's box. */
function fitInto(canvas: HTMLCanvasElement, { width, height }: ImageBitmap) {
  const ratio = devicePixelRatio;
  // If the canvas has no layout, its own width and height are used.
  const across = canvas.clientWidth * ratio || canvas.width;
  const down = canvas.clientHeight * ratio || canvas.height;
  const factor = Math.min(across / width, down / height);
  const scaled = (side: number) => Math.max(1, Math.round(side * factor));
  return { width: scaled(width), height: scaled(height), enlarging: factor > 1 };
}

function draw(canvas: HTMLCanvasElement, bitmap: ImageBitmap, width: number, height: number): void {
  if (canvas.width !== width || canvas.height !== height) {
    // These styles keep the size of the canvas's box and the aspect ratio of the image.
    const { clientWidth, clientHeight } = canvas;
    if (clientWidth > 0) {
      canvas.style.width ||= `${clientWidth}px`;
      canvas.style.height ||= `${clientHeight}px`;
      canvas.style.objectFit = 'contain';
    }
    [canvas.width, canvas.height] = [width, height];
  }
  const context = canvas.getContext('2d');
  if (!context) return;
  context.imageSmoothingQuality = 'high';
  context.clearRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
}
