/**
 * A stable code for every way in which Crispen can fail. A code is preserved when an error is sent
 * from the worker, and keeps its meaning within a major version.
 */
export type ErrorCode =
  | 'NO_WEBGPU' // there is no GPU adapter, because of the browser, its flags or the machine
  | 'NO_WASM' // WebAssembly SIMD is missing, or the page's policy forbids WebAssembly
  | 'INSECURE_CONTEXT' // plain http on a host other than localhost: no WebGPU, no hashes, no cache
  | 'DEVICE_LOST' // the GPU device was lost during the work
  | 'OUT_OF_MEMORY' // an allocation on the GPU or in the page was refused
  | 'MODEL_UNKNOWN' // the manifest has no model with this id
  | 'MODEL_CORRUPT' // a weight file is truncated or malformed, or does not match its hash
  | 'MODEL_UNSUPPORTED' // the weight file is valid, but Crispen does not know its network
  | 'FETCH_FAILED' // a URL could not be read because of the connection, the HTTP status or CORS
  | 'CROSS_ORIGIN' // pixels or weights belong to another origin, and the page may not use them
  | 'DECODE_FAILED' // the input is not an image that Crispen can decode
  | 'ENCODE_FAILED' // this platform cannot encode the requested output format
  | 'WRITE_FAILED' // a file could not be written: the disk is full, or permission was withdrawn
  | 'IMAGE_TOO_LARGE' // the input or the output exceeds a stated limit
  | 'INVALID_INPUT' // an argument is outside its documented range
  | 'NON_FINITE' // the network produced NaN or infinity
  | 'BLANK_RESULT' // the network returned one colour for an image that has several
  | 'ABORTED' // the caller's AbortSignal fired
  | 'WORKER_FAILED' // the worker could not start, or it died
  | 'INTERNAL'; // a bug in Crispen, such as a WebGPU validation error

/**
 * An error as plain data, which is sent between the worker and the page instead of the error
 * object.
 */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/**
 * Matches browsers' error messages about a JavaScript chunk that could not be loaded, and
 * Emscripten's message about a WebAssembly file that could not be fetched.
 */
const NOT_LOADED =
  /dynamically imported module|importing a module script failed|fetching of the wasm failed/i;

/**
 * The only error class that Crispen throws.
 *
 * `message` describes the problem. `hint` describes what to do about it, and can be empty. `name`
 * is `AbortError` for the code `ABORTED`, as on the web platform, and `CrispenError` otherwise.
 */
export class CrispenError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code === 'ABORTED' ? 'AbortError' : 'CrispenError';
    this.code = code;
    this.hint = options.hint ?? '';
  }

  /**
   * Converts a thrown value to a `CrispenError`, unless it is one already. Cancellations get the
   * code `ABORTED`, and failed downloads of Crispen's own files get `FETCH_FAILED`. All other
   * values get `code`.
   */
  static from(error: unknown, code: ErrorCode = 'INTERNAL'): CrispenError {
    if (error instanceof CrispenError) return error;
    const message = error instanceof Error ? error.message : String(error);
    if (NOT_LOADED.test(message)) {
      return new CrispenError('FETCH_FAILED', 'A part of Crispen could not be loaded.', {
        hint: 'Check the connection, then try again. If that does not help, reload the page.',
        cause: error,
      });
    }
    const isAbort = error instanceof Error && error.name === 'AbortError';
    return new CrispenError(isAbort ? 'ABORTED' : code, message, { cause: error });
  }

  serialize(): SerializedError {
    return { code: this.code, message: this.message, hint: this.hint };
  }

  static deserialize(error: SerializedError): CrispenError {
    return new CrispenError(error.code, error.message, { hint: error.hint });
  }
}

/** Throws `ABORTED` if the signal has fired. */
export function throwIfAborted(signal: { readonly aborted: boolean } | undefined): void {
  if (signal?.aborted) throw new CrispenError('ABORTED', 'The upscale was cancelled.');
}

/** Creates the error for a condition that only a bug in Crispen can cause. */
export const internal = (what: string): CrispenError =>
  new CrispenError('INTERNAL', `Crispen has a bug: ${what}.`, { hint: 'Please report it.' });

/** Creates the error for a result that contains NaN or infinity. */
export const nonFinite = (): CrispenError =>
  new CrispenError('NON_FINITE', 'The network produced values that are not numbers.', {
    hint: 'The weights may be damaged, or may expect another input range (0..1 or 0..255).',
  });
