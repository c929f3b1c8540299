/**
 * Every way in which Crispen can fail, as a stable code. Codes survive the worker boundary and keep
 * their meaning within a major version.
 */
export type ErrorCode =
  | 'NO_WEBGPU' // no adapter: the browser, its flags or the machine do not offer one
  | 'NO_WASM' // WebAssembly SIMD is missing, or the page's policy forbids WebAssembly
  | 'INSECURE_CONTEXT' // plain http on a host other than localhost: no WebGPU, no hashes, no cache
  | 'DEVICE_LOST' // the GPU device was lost during the work
  | 'OUT_OF_MEMORY' // an allocation on the GPU or in the page was refused
  | 'MODEL_UNKNOWN' // no such model id in the manifest
  | 'MODEL_CORRUPT' // a weight file is truncated, malformed or fails its hash
  | 'MODEL_UNSUPPORTED' // a valid weight file of a network that Crispen does not know
  | 'FETCH_FAILED' // a URL could not be read: network, status or CORS
  | 'CROSS_ORIGIN' // pixels or weights belong to another origin, and this one may not use them
  | 'DECODE_FAILED' // the bytes are not an image that this decoder can read
  | 'ENCODE_FAILED' // the requested output format cannot be encoded here
  | 'WRITE_FAILED' // the file could not be written: the disk is full or the permission was withdrawn
  | 'IMAGE_TOO_LARGE' // the input or the output exceeds a stated limit
  | 'INVALID_INPUT' // an argument is outside its documented range
  | 'NON_FINITE' // the network produced NaN or infinity
  | 'BLANK_RESULT' // the network returned one colour for an image that has several
  | 'ABORTED' // the caller's AbortSignal fired
  | 'WORKER_FAILED' // the worker could not start or died
  | 'INTERNAL'; // a bug in Crispen, such as a WebGPU validation error

/** An error as data, which crosses the worker boundary instead of the object. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/**
 * Messages for a file that could not be fetched: chunks (from browsers) and WebAssembly (from
 * Emscripten).
 */
const NOT_LOADED =
  /dynamically imported module|importing a module script failed|fetching of the wasm failed/i;

/**
 * The only error class that Crispen throws.
 *
 * `message` says what is wrong. `hint` says what to do about it and may be empty. `name` is
 * `AbortError` for the code `ABORTED`, as on the platform, and `CrispenError` otherwise.
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
   * Turns any thrown value into a `CrispenError`. Foreign errors get `code` (default `INTERNAL`).
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

/** Makes the error for something that only a bug in Crispen can cause. */
export const internal = (what: string): CrispenError =>
  new CrispenError('INTERNAL', `Crispen has a bug: ${what}.`, { hint: 'Please report it.' });

/** Makes the error for a result that contains NaN or infinity. */
export const nonFinite = (): CrispenError =>
  new CrispenError('NON_FINITE', 'The network produced values that are not numbers.', {
    hint: 'The weights may be damaged, or may expect another input range (0..1 or 0..255).',
  });
