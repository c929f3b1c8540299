import { CrispenError } from '../../errors.ts';
import type { ElementType, Kernel, WorkgroupLimits } from '../../kernels/kernel.ts';
import type { AdapterReport } from '../types.ts';
import { reportAdapter } from './adapter.ts';
import { deviceLost, messageOf, noWebGpu, outOfMemory, softwareOnly } from './failures.ts';
import { type Pipeline, Pipelines } from './pipelines.ts';
import { Polling } from './polling.ts';
import { type Patience, Watchdog, within } from './watchdog.ts';

export interface OpenOptions extends Patience {
  /** Whether a software adapter is acceptable. The default is true. */
  readonly software?: boolean | undefined;
}

/** Returns the device to use. After a loss, this can be a different device. */
export type DeviceSource = () => Promise<Device>;

// GPUBufferUsage and similar globals only exist in browsers. In Node, the `webgpu` package exports
// them instead.
export const USAGE = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;
/** Features to request if they are available. */
const FEATURES = ['shader-f16', 'subgroups', 'timestamp-query'] as const;
/** This feature is not standardised yet. It needs a flag in browsers and a toggle in Dawn. */
const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;
const MAP_MODE_READ = 0x1;
/** The error scopes, from the outermost to the innermost. */
const SCOPES: readonly GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation'];
/**
 * How many milliseconds to wait for a device loss to be reported after a call has failed with an
 * `AbortError`.
 */
const LOSS_MS = 1000;

/**
 * Wraps a GPU device for the engine. It caches pipelines by source, creates buffers within error
 * scopes and reports a loss or a hang. All other code accesses the `GPUDevice` through this class.
 */
export class Device {
  readonly gpu: GPUDevice;
  readonly adapter: AdapterReport;
  /** Resolves with the reason when the device is lost. This promise never rejects. */
  readonly lost: Promise<string>;
  #lose!: (reason: string) => void;
  #lostReason: string | null = null;
  /** An error that no scope caught. */
  #uncaught: CrispenError | null = null;
  #marks = 0;
  readonly #polling: Polling | null;
  readonly #watchdog: Watchdog;
  /**
   * Functions that reject pending waits for the GPU. Racing each wait against `lost` would leak a
   * handler per wait.
   */
  readonly #waiting = new Set<(error: CrispenError) => void>();
  readonly #pipelines = new Pipelines(this);

  /** Wraps a device that the caller owns. `open` creates a new device. */
  constructor(gpu: GPUDevice, adapter: AdapterReport, patience: Patience = {}) {
    this.gpu = gpu;
    this.adapter = adapter;
    // `Polling` measures whether the browser checks for completed work only at long intervals. It
    // is not used with a software adapter, whose slowness could make the measurement wrong.
    this.#polling = adapter.isFallbackAdapter ? null : new Polling(gpu);
    this.#watchdog = new Watchdog(patience, (what) => this.abandon(`it hung (${what})`));
    this.lost = new Promise((resolve) => {
      this.#lose = (reason) => {
        if (this.#lostReason !== null) return;
        this.#lostReason = reason;
        this.#watchdog.stop();
        for (const reject of this.#waiting) reject(deviceLost(reason));
        this.#waiting.clear();
        resolve(reason);
      };
    });
    gpu.lost.then(
      (info) => this.#lose(info.message || info.reason || 'unknown'),
      (error) => this.#lose(String(error)),
    );
  }

  /**
   * Requests the fastest adapter, and then a device with that adapter's largest buffer limits.
   * @throws CrispenError `NO_WEBGPU` if there is no adapter or the adapter provides no device.
   */
  static async open(gpu: GPU, options: OpenOptions = {}): Promise<Device> {
    const { software = true, ...patience } = options;
    let adapter: GPUAdapter | null;
    try {
      const asked = gpu.requestAdapter({ powerPreference: 'high-performance' });
      adapter = await within(patience, asked, () => {});
    } catch (error) {
      throw noWebGpu('WebGPU refused to look for an adapter', error);
    }
    if (!adapter) throw noWebGpu('WebGPU found no adapter');
    const report = reportAdapter(adapter);
    if (report.isFallbackAdapter && !software) throw softwareOnly(report);
    const { limits, features } = adapter;
    const { maxBufferSize, maxStorageBufferBindingSize } = limits;
    // More than 32 KiB per workgroup would only reduce occupancy.
    const maxComputeWorkgroupStorageSize = Math.min(limits.maxComputeWorkgroupStorageSize, 32768);
    const matrix = features.has(MATRIX_FEATURE)
      ? (await import('./matrix.ts')).matrixUnit(adapter, maxComputeWorkgroupStorageSize)
      : undefined;
    const wanted = matrix ? [...FEATURES, MATRIX_FEATURE] : FEATURES;
    try {
      const asked = adapter.requestDevice({
        label: 'crispen',
        requiredFeatures: wanted.filter((feature) => features.has(feature)),
        requiredLimits: {
          maxBufferSize,
          maxStorageBufferBindingSize,
          maxComputeWorkgroupStorageSize,
        },
      });
      const made = await within(patience, asked, (late) => late.destroy());
      const device = new Device(made, { ...report, matrix }, patience);
      made.addEventListener('uncapturederror', ({ error }) => device.#hear(error));
      return device;
    } catch (error) {
      throw noWebGpu('The adapter gave no device', error);
    }
  }

  get limits(): GPUSupportedLimits {
    return this.gpu.limits;
  }

  /** The size in bytes of the largest buffer that a kernel can use. */
  get largestBuffer(): number {
    return Math.min(this.limits.maxStorageBufferBindingSize, this.limits.maxBufferSize);
  }

  /** The types of values that kernels can load and store. */
  get elements(): readonly ElementType[] {
    return this.gpu.features.has('shader-f16') ? ['f32', 'f16'] : ['f32'];
  }

  /**
   * @throws CrispenError `INVALID_INPUT` if `precision` is an unknown type, or if it is f16 and the
   * device does not support f16.
   */
  element(precision: ElementType = 'f32'): ElementType {
    if (!this.elements.includes(precision)) {
      throw new CrispenError('INVALID_INPUT', `This device has no ${precision} arithmetic.`, {
        hint: 'Use f32, which every device has.',
      });
    }
    return precision;
  }

  /** The device's workgroup limits. */
  get workgroup(): WorkgroupLimits {
    const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = this.limits;
    return {
      invocations: maxComputeInvocationsPerWorkgroup,
      bytes: maxComputeWorkgroupStorageSize,
    };
  }

  /** @throws CrispenError `DEVICE_LOST` once the device is lost. */
  throwIfLost(): void {
    if (this.#lostReason !== null) throw deviceLost(this.#lostReason);
  }

  get isLost(): boolean {
    return this.#lostReason !== null;
  }

  /** Abandons the device. All pending waits fail with `DEVICE_LOST`. */
  abandon(reason: string): void {
    this.#lose(reason);
    try {
      this.gpu.destroy();
    } catch {} // The device is already gone.
  }

  /** Records an error that no scope caught, so that the running job can throw it. */
  #hear(error: GPUError): void {
    const { message } = error;
    const isMemory = error.constructor.name === 'GPUOutOfMemoryError';
    this.#uncaught ??= isMemory ? outOfMemory(message) : new CrispenError('INTERNAL', message);
  }

  /** @throws CrispenError the error that no scope caught, but only once */
  #throwIfUncaught(): void {
    const error = this.#uncaught;
    this.#uncaught = null;
    if (error) throw error;
  }

  /**
   * Returns a non-zero number that differs from earlier ones. Submitted work writes this number to
   * a buffer. If the buffer then contains the number, the GPU has run the work.
   */
  mark(): number {
    this.#marks = (this.#marks + 1) >>> 0 || 1;
    return Math.imul(this.#marks, 2654435761) >>> 0;
  }

  /**
   * Runs `work` within error scopes and waits for the outcome of the scopes.
   * @throws CrispenError `OUT_OF_MEMORY`, `INTERNAL` (validation), `DEVICE_LOST`.
   */
  async scoped<T>(what: string, work: () => T): Promise<T> {
    const { result, verdict } = this.scopes(what, work);
    await verdict;
    return result;
  }

  /**
   * Runs `work` within error scopes and returns its result without waiting for the outcome of the
   * scopes. The promise `verdict` rejects if the scopes catch an error.
   */
  scopes<T>(what: string, work: () => T): { result: T; verdict: Promise<void> } {
    this.throwIfLost();
    this.#throwIfUncaught();
    const { gpu } = this;
    const popped: Promise<GPUError | null>[] = [];
    let result: T;
    let open = 0;
    try {
      for (; open < SCOPES.length; open++) gpu.pushErrorScope(SCOPES[open]);
      result = work();
    } catch (error) {
      throw this.#typed(error);
    } finally {
      for (; open > 0; open--) {
        const verdict = this.#popScope();
        verdict.catch(() => {}); // A lost device rejects this promise, and `lost` reports the loss.
        popped.unshift(verdict);
      }
    }
    const verdict = this.race(what, Promise.all(popped)).then(([internal, memory, validation]) => {
      if (memory) throw outOfMemory(`${what}: ${memory.message}`);
      const error = validation ?? internal;
      if (error) throw new CrispenError('INTERNAL', `${what}: ${error.message}`);
      this.#throwIfUncaught();
    });
    verdict.catch(() => {}); // The code that awaits the verdict gets the error.
    return { result, verdict };
  }

  /**
   * Pops an error scope. If `popErrorScope` throws, this method returns a rejected promise instead,
   * so that the caller still pops the other scopes.
   */
  #popScope(): Promise<GPUError | null> {
    try {
      return this.gpu.popErrorScope();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Converts any error from a WebGPU call to one of this library's errors. */
  #typed(error: unknown): CrispenError {
    if (error instanceof CrispenError) return error;
    if (this.#lostReason !== null) return deviceLost(this.#lostReason);
    return new CrispenError('INTERNAL', messageOf(error), { cause: error });
  }

  /**
   * Awaits a GPU promise that might never settle.
   * @param what describes the awaited work in the error's message
   * @param work the number of submitted multiply-adds; more work is allowed more time
   * @param isCompiling see `Watchdog.watch`
   * @throws CrispenError `DEVICE_LOST` (also if the GPU does not answer) and `INTERNAL`
   */
  race<T>(what: string, promise: Promise<T>, work = 0, isCompiling = false): Promise<T> {
    this.throwIfLost();
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      const end = () => void this.#waiting.delete(reject);
      this.#watchdog.watch(what, promise, work, isCompiling).then(
        (value) => {
          end();
          resolve(value);
        },
        (error: unknown) => {
          // After a loss, a call can fail before the loss is reported. Only a loss causes an
          // `AbortError`.
          const isAbort = error instanceof Error && error.name === 'AbortError';
          const told = new Promise<void>((done) => setTimeout(done, isAbort ? LOSS_MS : 0));
          void Promise.race([told, this.lost]).then(() => {
            end();
            if (isAbort) this.abandon(messageOf(error));
            reject(this.#typed(error));
          });
        },
      );
    });
  }

  /**
   * Calls `race` for a promise that settles when submitted work has run. If the browser checks for
   * completed work only at long intervals, this method shortens the wait (see `Polling`).
   */
  #wait<T>(what: string, promise: Promise<T>, work?: number): Promise<T> {
    return this.race(what, this.#polling?.hasten(promise) ?? promise, work);
  }

  /**
   * Waits until all work submitted so far has run.
   * @param work the number of multiply-adds in the last submission
   */
  async idle(work = 0): Promise<void> {
    await this.#wait(
      'running',
      this.called(() => this.gpu.queue.onSubmittedWorkDone()),
      work,
    );
  }

  /**
   * Makes a WebGPU call outside `scoped` and converts an exception to a `CrispenError`.
   * @throws CrispenError `INTERNAL`, `DEVICE_LOST`
   */
  called<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw this.#typed(error);
    }
  }

  /** The number of kernels that are compiled or being compiled. */
  get pipelines(): number {
    return this.#pipelines.count;
  }

  /**
   * Compiles a kernel asynchronously and only once per source.
   * @throws CrispenError `INTERNAL`.
   */
  compile(kernel: Kernel): Promise<Pipeline> {
    return this.#pipelines.compile(kernel);
  }

  /**
   * Compiles a shader that binds textures. The layout is derived from the source.
   * @throws CrispenError `INTERNAL`, `DEVICE_LOST`
   */
  compileShader(label: string, code: string): Promise<Pipeline> {
    return this.#pipelines.compileShader(label, code);
  }

  /**
   * Creates a buffer. Call this method within `scoped`, which throws `OUT_OF_MEMORY` if the memory
   * cannot be allocated.
   */
  buffer(label: string, bytes: number, usage: number): GPUBuffer {
    return this.gpu.createBuffer({ label, size: Math.ceil(bytes / 4) * 4, usage });
  }

  /**
   * Maps a `MAP_READ` buffer while `use` reads its content, and returns `use`'s result.
   * @throws CrispenError `DEVICE_LOST` (also if the mapping has the wrong length) and `INTERNAL`;
   *   errors that `use` throws are passed on
   */
  async mapped<T>(buffer: GPUBuffer, bytes: number, use: (content: ArrayBuffer) => T): Promise<T> {
    const { result: mapping, verdict } = this.scopes('reading', () =>
      buffer.mapAsync(MAP_MODE_READ, 0, bytes),
    );
    // If the next statement throws before it awaits `mapping`, no other code handles the promise's
    // rejection.
    mapping.catch(() => {});
    await Promise.all([this.#wait('reading', mapping), verdict]);
    this.throwIfLost();
    try {
      const content = this.called(() => buffer.getMappedRange(0, bytes));
      if (content.byteLength !== bytes) throw this.broken('gave too few bytes back');
      return use(content);
    } finally {
      this.called(() => buffer.unmap());
    }
  }

  /** Abandons this device after a failure that it did not report. Returns the error to throw. */
  broken(what: string): CrispenError {
    this.abandon(`it ${what}`);
    return deviceLost(this.#lostReason ?? '');
  }

  destroy(): void {
    this.abandon('it was closed');
  }
}
