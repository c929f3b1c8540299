/// <reference lib="esnext.disposable" preserve="true" />
/** The public interface of an upscaler; `client.ts` implements it with a worker. */
import type { AdapterReport } from '../../engine/types.ts';
import type { CrispenError } from '../../errors.ts';
import type {
  AddedModel,
  AttentionInspection,
  CpuReport,
  UpscaleOutput,
  UpscaleTarget,
} from '../protocol.ts';
import type {
  AddModelOptions,
  DrawRequest,
  EncodeOptions,
  ExportOptions,
  InspectOptions,
  JobOptions,
  PlanChoice,
  UpscaleRequest,
} from './options.ts';
import type { UpscaleSource } from './source.ts';

/** How networks run in this browser on this machine. */
export interface Detection {
  /** `none`: the option `backend` is `webgpu`, and there is no adapter. */
  readonly backend: 'webgpu' | 'cpu' | 'none';
  readonly adapter: AdapterReport | null;
  /**
   * Why the GPU is not used: `NO_WEBGPU` or `INSECURE_CONTEXT`, with a hint. Null if it is used, or
   * if `backend` is `cpu`.
   */
  readonly reason: CrispenError | null;
  /**
   * How the CPU runs networks; null if the GPU does. For `loops`, `reason` says why there is no
   * WebAssembly (`NO_WASM`) and what to allow.
   */
  readonly cpu: (CpuReport & { readonly reason: CrispenError | null }) | null;
}

export interface Upscaler {
  /** Reports how networks run here. Tests the adapter, not only `navigator.gpu`. */
  detect(): Promise<Detection>;
  /**
   * Downloads a model and prepares it, so the first image does not wait for it. `auto` is not a model: which
   * one runs depends on the image.
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`, `FETCH_FAILED`, `MODEL_CORRUPT`,
   *   `ABORTED`
   */
  preload(model: string, options?: JobOptions): Promise<void>;
  /**
   * Enlarges one image. Jobs run in turn, in the order in which they reach the worker. Options are
   * checked before anything is sent; unknown names are errors.
   *
   * @throws CrispenError with any code except `INTERNAL`: `INVALID_INPUT`, `MODEL_UNKNOWN`,
   *   `CROSS_ORIGIN`, `FETCH_FAILED`, `DECODE_FAILED`, `IMAGE_TOO_LARGE`, `NO_WEBGPU`,
   *   `INSECURE_CONTEXT`, `MODEL_CORRUPT`, `DEVICE_LOST`, `OUT_OF_MEMORY`, `NON_FINITE`,
   *   `BLANK_RESULT`, `ENCODE_FAILED`, `WRITE_FAILED`, `WORKER_FAILED`, `ABORTED`. After any of
   *   them, the next image works, and no part of a result file is left behind: a file that was
   *   empty is removed.
   */
  upscale(
    source: UpscaleSource,
    request: UpscaleRequest & { readonly to: UpscaleTarget },
  ): Promise<UpscaleOutput<null>>;
  upscale(source: UpscaleSource, request?: UpscaleRequest): Promise<UpscaleOutput>;
  /**
   * Like `upscale`, but draws the result on a canvas and sets its size. The result of an opaque
   * colour image at the model's own scale stays on the GPU: nothing is read back, and the complete
   * image appears at once. Other results (with alpha, grey, of another size, or from the CPU) are
   * read back and painted. The page sees the canvas's new size in its next frame.
   *
   * The canvas belongs to the worker from then on, even after an error. It must be new, without a
   * context, and takes one result. It shows the result until the upscaler is destroyed.
   *
   * @throws CrispenError like `upscale`; `INVALID_INPUT` for a canvas that is not new,
   *   `IMAGE_TOO_LARGE` for a result whose side exceeds the device's textures (8192)
   */
  upscaleTo(
    canvas: HTMLCanvasElement | OffscreenCanvas,
    source: UpscaleSource,
    request?: DrawRequest,
  ): Promise<UpscaleOutput<null>>;
  /**
   * Estimates how many milliseconds the CPU would take for an LR image of this size, measured on
   * this machine: the sum over all networks that the request runs.
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`
   */
  estimateCpu(width: number, height: number, request?: PlanChoice): Promise<number>;
  /**
   * Runs a model on an image, or on a part of it, and returns what its attention did: dynamic
   * branch weights and pixel attention (A2N, PAN, SPAN), clusters and the pixels to which each
   * pixel attends (LCoAN, DLSN), keys and gates (ACLA). This is meant for looking at networks. It
   * needs more memory than an upscale of the same pixels, so it is bounded by `maxPixels`. Computes
   * in f32.
   *
   * @throws CrispenError like `upscale`, and `INVALID_INPUT` for a region outside the image
   */
  inspect(image: UpscaleSource, options?: InspectOptions): Promise<AttentionInspection>;
  /**
   * Adds a weight file (.pth, .pt, .ckpt, .safetensors) or the file at a URL. Recognises its
   * network and scale, and stores it with the page's origin. Its `id` can then be used as `model`.
   *
   * A file from a URL may later be removed from the storage if other files need the room. The file
   * that was not used for the longest time is removed first.
   *
   * @throws CrispenError `MODEL_UNSUPPORTED` for other networks and if a scale is needed,
   *   `MODEL_CORRUPT`, also for a file that does not match `integrity`, `FETCH_FAILED`,
   *   `INVALID_INPUT`, `ABORTED`.
   */
  addModel(file: Blob | string | URL, options?: AddModelOptions): Promise<AddedModel>;
  /** Lists the added models, the oldest first. */
  models(): Promise<AddedModel[]>;
  /** Removes an added model. Has no effect for an unknown id. */
  removeModel(id: string): Promise<void>;
  /**
   * Writes an added model's tensors to a safetensors file.
   * @throws CrispenError `MODEL_UNKNOWN`; with `f16` also `INVALID_INPUT` for values too large for
   *   it.
   */
  exportModel(id: string, options?: ExportOptions): Promise<Blob>;
  /**
   * Encodes a bitmap, or converts a file to another format. The file keeps its profile and, in PNG,
   * its 16 bits. The bitmap still belongs to the caller. JPEG puts white under transparent pixels.
   * @throws CrispenError `INVALID_INPUT`, `DECODE_FAILED`, `ENCODE_FAILED`
   */
  encode(image: ImageBitmap | Blob, options: EncodeOptions): Promise<Blob>;
  /**
   * Rejects pending calls with `ABORTED` and ends the worker. The upscaler cannot be used again.
   */
  destroy(): void;
  /** Calls `destroy`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
