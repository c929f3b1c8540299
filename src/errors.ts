/**
 * Every way in which Crispen can fail, as a stable code. Codes survive the worker boundary and
 * never change their meaning within a major version.
 */
export type ErrorCode =
  | 'NO_WEBGPU' // no adapter: the browser, its flags or the machine offer none
  | 'NO_WASM' // WebAssembly SIMD is missing, or the page's policy forbids WebAssembly
  | 'INSECURE_CONTEXT' // plain http on a host other than localhost: no WebGPU, no hashes, no cache
  | 'DEVICE_LOST' // the GPU device went away while it worked
  | 'OUT_OF_MEMORY' // an allocation on the GPU or in the page was refused
  | 'MODEL_UNKNOWN' // no such model id in the manifest
  | 'MODEL_CORRUPT' // a weight file is truncated, malformed or fails its hash
  | 'MODEL_UNSUPPORTED' // a sound weight file, but of a network that Crispen does not know
  | 'FETCH_FAILED' // a URL could not be read: network, status or CORS
  | 'CROSS_ORIGIN' // the pixels of an image belong to another origin and cannot be read
  | 'DECODE_FAILED' // the bytes are not an image that this browser can decode
  | 'ENCODE_FAILED' // the requested output format cannot be written here
  | 'WRITE_FAILED' // the file could not be written: a full disk, a permission withdrawn
  | 'IMAGE_TOO_LARGE' // the input or the output exceeds a stated limit
  | 'INVALID_INPUT' // an argument is outside of its documented range
  | 'NON_FINITE' // the network produced NaN or infinity: reported, never shown as black
  | 'ABORTED' // the caller's AbortSignal fired
  | 'WORKER_FAILED' // the worker could not start or died
  | 'INTERNAL'; // a defect of Crispen itself: WebGPU validation and the like

/** What crosses the worker boundary in place of an error object. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/**
 * The only error class that Crispen throws.
 *
 * `message` says what happened, `hint` what the reader can do about it (may be empty).
 * `name` is `AbortError` for the code `ABORTED`, as the platform has it, else `CrispenError`.
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

  /** Any thrown value as a `CrispenError`; foreign errors get `code` (default `INTERNAL`). */
  static from(error: unknown, code: ErrorCode = 'INTERNAL'): CrispenError {
    if (error instanceof CrispenError) return error;
    const message = error instanceof Error ? error.message : String(error);
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

/** The error of a result that holds NaN or infinity. */
export const nonFinite = (): CrispenError =>
  new CrispenError('NON_FINITE', 'The network produced values that are not numbers.', {
    hint: 'The weights may be damaged, or may expect another input range (0..1 or 0..255).',
  });
