/**
 * Provides `window.crispen`, through which the library tests control their page. The object also
 * contains the library's public names.
 */
import * as crispen from '../src/index.ts';
import { wrongCalls } from '../test/wrongOptions.ts';
import { chosenBackend } from './chosenBackend.ts';

/** The parts of a result or an error that can be sent from the page to the test. */
export type Outcome =
  | (Omit<crispen.UpscaleOutput, 'image'> & {
      readonly code: null;
      /** The image as PNG, or in the requested file type. */
      readonly file: number[];
      readonly type: string;
      readonly progress: crispen.UpscaleProgress[];
    })
  | { readonly code: crispen.ErrorCode; readonly message: string; readonly hint: string };

function bytes(file: readonly number[], type = ''): Blob {
  return new Blob([Uint8Array.from(file)], { type });
}

/** Upscales, and waits for the result or the error. */
async function attempt(
  upscaler: crispen.Upscaler,
  source: crispen.UpscaleSource,
  request: crispen.UpscaleRequest = {},
): Promise<Outcome> {
  const progress: crispen.UpscaleProgress[] = [];
  try {
    const { image, ...rest } = await upscaler.upscale(source, {
      onProgress: (event) => progress.push(event),
      ...request,
    });
    const file =
      image instanceof Blob ? image : await upscaler.encode(image, { type: 'image/png' });
    const content = Array.from(new Uint8Array(await file.arrayBuffer()));
    return { ...rest, code: null, file: content, type: file.type, progress };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): Outcome {
  if (!(error instanceof crispen.CrispenError)) throw error;
  return error.serialize();
}

/**
 * Adds the backend to plain objects. Other values are passed on unchanged, because tests also try
 * wrong options.
 */
const createUpscaler = (options: crispen.UpscalerOptions = {}) =>
  crispen.createUpscaler(
    Object.getPrototypeOf(Object(options)) === Object.prototype && options !== null
      ? { backend: chosenBackend, ...options }
      : options,
  );

const harness = { ...crispen, createUpscaler, bytes, attempt, failure, wrongCalls };

declare global {
  interface Window {
    crispen: typeof harness;
  }
}

window.crispen = harness;
