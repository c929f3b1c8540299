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

/** Information about how networks run in this browser on this machine. */
export interface Detection {
  /** `none` means that the option `backend` is `webgpu`, but there is no adapter. */
  readonly backend: 'webgpu' | 'cpu' | 'none';
  readonly adapter: AdapterReport | null;
  /**
   * The reason why the GPU is not used: an error with a hint and the code `NO_WEBGPU` or
   * `INSECURE_CONTEXT`. Null if the GPU is used, or if the option `backend` is `cpu`.
   */
  readonly reason: CrispenError | null;
  /**
   * How the CPU runs networks; null if it does not run them. If `cpu.code` is `loops`, `cpu.reason`
   * says why WebAssembly is unavailable (`NO_WASM`) and how the page can allow it.
   */
  readonly cpu: (CpuReport & { readonly reason: CrispenError | null }) | null;
}

export interface Upscaler {
  /**
   * Reports how networks run in this browser. To find out, this method creates a GPU device,
   * because the presence of `navigator.gpu` does not prove that a GPU can be used.
   */
  detect(): Promise<Detection>;
  /**
   * Downloads and prepares a model, so the first image does not have to wait. `auto` is not
   * accepted, because the model that it chooses depends on the image.
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`, `FETCH_FAILED`, `MODEL_CORRUPT`,
   *   `ABORTED`
   */
  preload(model: string, options?: JobOptions): Promise<void>;
  /**
   * Enlarges one image. Jobs run one after the other, in the order in which they reach the worker.
   * Options are checked before anything is sent to the worker. Unknown options are rejected.
   *
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`, `MODEL_UNSUPPORTED`, `CROSS_ORIGIN`,
   *   `FETCH_FAILED`, `DECODE_FAILED`, `IMAGE_TOO_LARGE`, `NO_WEBGPU`, `INSECURE_CONTEXT`,
   *   `MODEL_CORRUPT`, `DEVICE_LOST`, `OUT_OF_MEMORY`, `NON_FINITE`, `BLANK_RESULT`,
   *   `ENCODE_FAILED`, `WRITE_FAILED`, `WORKER_FAILED`, `ABORTED`. After any of these errors, the
   *   upscaler can process the next image. No partial result file is left behind. If the
   *   target file was empty before the call, it is removed.
   */
  upscale(
    source: UpscaleSource,
    request: UpscaleRequest & { readonly to: UpscaleTarget },
  ): Promise<UpscaleOutput<null>>;
  upscale(source: UpscaleSource, request?: UpscaleRequest): Promise<UpscaleOutput>;
  /**
   * Like `upscale`, but draws the result on a canvas and sets the size of the canvas. The complete
   * result appears in one step. If the image is opaque and in colour, and the GPU enlarges it by
   * the model's own scale, the result stays on the GPU. Only a few of its rows are read back, to
   * check that it is not blank. All other results are assembled in main memory and then drawn. The
   * page sees the canvas's new size in its next frame.
   *
   * After this call, the canvas belongs to the worker, even if the call fails. The canvas must be
   * new, must not have a context, and can be used for only one result. It shows the result until
   * the upscaler is destroyed.
   *
   * @throws CrispenError like `upscale`; `INVALID_INPUT` for a canvas that is not new,
   *   `IMAGE_TOO_LARGE` for a result with a side longer than the largest texture (8192 pixels)
   */
  upscaleTo(
    canvas: HTMLCanvasElement | OffscreenCanvas,
    source: UpscaleSource,
    request?: DrawRequest,
  ): Promise<UpscaleOutput<null>>;
  /**
   * Estimates how many milliseconds this machine's CPU would take for an input image of this size.
   * The estimate is the total for all networks that the request runs.
   * @throws CrispenError `INVALID_INPUT`, `MODEL_UNKNOWN`
   */
  estimateCpu(width: number, height: number, request?: PlanChoice): Promise<number>;
  /**
   * Runs a model on an image or a region of it, and returns the model's attention values: dynamic
   * branch weights and pixel attention (A2N, PAN, SPAN), clusters and the pixels to which each
   * pixel attends (LCoAN, DLSN), or keys and gates (ACLA). This method is for studying networks. It
   * needs more memory than upscaling the same pixels, so `maxPixels` limits the input. The network
   * runs in f32.
   *
   * @throws CrispenError like `upscale`, and `INVALID_INPUT` for a region outside the image
   */
  inspect(image: UpscaleSource, options?: InspectOptions): Promise<AttentionInspection>;
  /**
   * Adds a weight file (.pth, .pt, .ckpt, .safetensors), given as a Blob or as a URL. Crispen
   * recognises the network and the scale, and stores the file in the storage of the page's origin.
   * The returned `id` can then be used as `model`.
   *
   * If other files need the space, Crispen can later remove files that came from a URL. The least
   * recently used file is removed first.
   *
   * @throws CrispenError `MODEL_UNSUPPORTED` for an unknown network, or if the scale cannot be
   *   detected and was not given; `MODEL_CORRUPT` for a damaged file or a file that does not match
   *   `integrity`; `INSECURE_CONTEXT` if `integrity` cannot be checked; `FETCH_FAILED`,
   *   `INVALID_INPUT`, `ABORTED`.
   */
  addModel(file: Blob | string | URL, options?: AddModelOptions): Promise<AddedModel>;
  /** Lists the added models, oldest first. */
  models(): Promise<AddedModel[]>;
  /** Removes an added model. Ignores unknown ids. */
  removeModel(id: string): Promise<void>;
  /**
   * Writes an added model's tensors to a safetensors file.
   * @throws CrispenError `MODEL_UNKNOWN`, or `INVALID_INPUT` if `f16` is set and a value is too
   *   large for f16.
   */
  exportModel(id: string, options?: ExportOptions): Promise<Blob>;
  /**
   * Encodes a bitmap, or converts a file to another format. A converted file keeps its colour
   * profile. If a 16-bit PNG is encoded as a PNG again, it keeps 16 bits per sample. This method
   * does not close the bitmap. In JPEG files, transparent pixels are drawn on white.
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
