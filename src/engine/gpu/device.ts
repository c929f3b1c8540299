import { CrispenError } from '../../errors.ts';
import {
  bindingsOf,
  type ElementType,
  type Kernel,
  PARAM_WORDS,
  type WorkgroupLimits,
} from '../../kernels/kernel.ts';
import type { AdapterReport } from '../types.ts';
import { Polling } from './polling.ts';

/** A compiled kernel. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export const PARAM_BYTES = PARAM_WORDS * 4;

// GPUBufferUsage and similar globals only exist in browsers; Node's WebGPU exports them elsewhere.
export const USAGE = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;
/** Requested if available. */
const FEATURES = ['shader-f16', 'subgroups', 'timestamp-query'] as const;
/** Not standardised yet: behind a flag in browsers and behind a toggle in Dawn. */
const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix' as GPUFeatureName;
const COMPUTE_STAGE = 0x4;
const MAP_MODE_READ = 0x1;

/**
 * A GPU device with what the engine needs: pipelines cached by source, buffers made within error
 * scopes, and notice of its loss. Nothing else in Crispen touches `GPUDevice`.
 */
export class Device {
  readonly gpu: GPUDevice;
  readonly adapter: AdapterReport;
  /** Resolves with the reason when the device is lost. Never rejects. */
  readonly lost: Promise<string>;
  #lostReason: string | null = null;
  readonly #polling: Polling | null;
  /**
   * Rejects everything that waits for the GPU. A plain race with `lost` would leak a handler per
   * wait.
   */
  readonly #waiting = new Set<(error: CrispenError) => void>();
  readonly #pipelines = new Map<string, Promise<Pipeline>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  /** For devices that belong to the caller. `open` makes others. */
  constructor(gpu: GPUDevice, adapter: AdapterReport) {
    this.gpu = gpu;
    this.adapter = adapter;
    // Software adapters can be slow enough to look polled.
    this.#polling = adapter.isFallbackAdapter ? null : new Polling(gpu);
    this.lost = gpu.lost.then((info) => {
      this.#lostReason = info.message || info.reason || 'unknown';
      for (const reject of this.#waiting) reject(deviceLost(this.#lostReason));
      this.#waiting.clear();
      return this.#lostReason;
    });
  }

  /**
   * Requests the fastest adapter and the largest buffers that it allows.
   * @param software whether a software adapter is acceptable
   * @throws CrispenError `NO_WEBGPU` if there is no adapter or it gives no device.
   */
  static async open(gpu: GPU, software = true): Promise<Device> {
    let adapter: GPUAdapter | null;
    try {
      adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    } catch (error) {
      throw noWebGpu('WebGPU refused to look for an adapter', error);
    }
    if (!adapter) throw noWebGpu('WebGPU found no adapter');
    const report = reportAdapter(adapter);
    if (report.isFallbackAdapter && !software) throw softwareOnly(report);
    const { limits, features } = adapter;
    const matrix = features.has(MATRIX_FEATURE)
      ? (await import('./matrix.ts')).matrixUnit(adapter)
      : undefined;
    const wanted = matrix ? [...FEATURES, MATRIX_FEATURE] : FEATURES;
    const { maxBufferSize, maxStorageBufferBindingSize } = limits;
    // More than 32 KiB per workgroup would only reduce occupancy.
    const maxComputeWorkgroupStorageSize = Math.min(limits.maxComputeWorkgroupStorageSize, 32768);
    try {
      const device = await adapter.requestDevice({
        label: 'crispen',
        requiredFeatures: wanted.filter((feature) => features.has(feature)),
        requiredLimits: {
          maxBufferSize,
          maxStorageBufferBindingSize,
          maxComputeWorkgroupStorageSize,
        },
      });
      return new Device(device, { ...report, matrix });
    } catch (error) {
      throw noWebGpu('The adapter gave no device', error);
    }
  }

  get limits(): GPUSupportedLimits {
    return this.gpu.limits;
  }

  /** Whether kernels may store and load f16. */
  get hasF16(): boolean {
    return this.gpu.features.has('shader-f16');
  }

  /** @throws CrispenError `INVALID_INPUT` for f16 on a device without it and for unknown types. */
  element(precision: ElementType = 'f32'): ElementType {
    if (precision !== 'f32' && !(precision === 'f16' && this.hasF16)) {
      throw new CrispenError('INVALID_INPUT', `This device has no ${precision} arithmetic.`, {
        hint: 'Use f32, which every device has.',
      });
    }
    return precision;
  }

  /** The device's limits for a workgroup. */
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

  /**
   * Runs `work` within error scopes and waits for their result.
   * @throws CrispenError `OUT_OF_MEMORY`, `INTERNAL` (validation), `DEVICE_LOST`.
   */
  async scoped<T>(what: string, work: () => T): Promise<T> {
    const { result, verdict } = this.scopes(what, work);
    await verdict;
    return result;
  }

  /** Like `scoped`, but the caller awaits the result later. */
  scopes<T>(what: string, work: () => T): { result: T; verdict: Promise<void> } {
    this.throwIfLost();
    const { gpu } = this;
    gpu.pushErrorScope('internal');
    gpu.pushErrorScope('out-of-memory');
    gpu.pushErrorScope('validation');
    let result: T;
    let popped: Promise<(GPUError | null)[]>;
    try {
      result = work();
    } finally {
      popped = Promise.all([gpu.popErrorScope(), gpu.popErrorScope(), gpu.popErrorScope()]);
      popped.catch(() => {}); // a lost device rejects; `lost` has the reason
    }
    const verdict = this.race(popped).then(([validation, memory, internal]) => {
      if (memory) throw outOfMemory(`${what}: ${memory.message}`);
      const error = validation ?? internal;
      if (error) throw new CrispenError('INTERNAL', `${what}: ${error.message}`);
    });
    verdict.catch(() => {}); // reported to the code that awaits it
    return { result, verdict };
  }

  /** Awaits a promise of the GPU, which may never settle after the device is lost. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      promise
        .then(resolve, (error: unknown) => {
          // A rejection caused by a loss can arrive before the loss itself, so it waits for one
          // turn.
          setTimeout(() => reject(CrispenError.from(error)), 0);
        })
        .finally(() => setTimeout(() => this.#waiting.delete(reject), 0));
    });
  }

  /** Like `race`, for the end of submitted work. */
  #wait<T>(promise: Promise<T>): Promise<T> {
    return this.race(this.#polling?.hasten(promise) ?? promise);
  }

  /** Waits until all submitted work has run. */
  idle(): Promise<undefined> {
    return this.#wait(this.gpu.queue.onSubmittedWorkDone());
  }

  /** Compiles a kernel, asynchronously and once per source. @throws CrispenError `INTERNAL`. */
  compile(kernel: Kernel): Promise<Pipeline> {
    const known = this.#pipelines.get(kernel.code);
    if (known) return known;
    const made = this.#compile(kernel);
    this.#pipelines.set(kernel.code, made);
    made.catch(() => this.#pipelines.delete(kernel.code));
    return made;
  }

  async #compile(kernel: Kernel): Promise<Pipeline> {
    this.throwIfLost();
    const layout = this.#layout(kernel);
    const { gpu } = this;
    gpu.pushErrorScope('validation');
    const module = gpu.createShaderModule({ label: kernel.label, code: kernel.code });
    const scope = gpu.popErrorScope();
    try {
      const pipeline = await this.race(
        gpu.createComputePipelineAsync({
          label: kernel.label,
          layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main' },
        }),
      );
      return { pipeline, layout };
    } catch (error) {
      this.throwIfLost();
      throw await compileError(kernel, module, error);
    } finally {
      await scope.catch(() => null);
    }
  }

  #layout(kernel: Kernel): GPUBindGroupLayout {
    const bindings = bindingsOf(kernel);
    const key = bindings.join();
    const known = this.#layouts.get(key);
    if (known) return known;
    const layout = this.gpu.createBindGroupLayout({
      label: key,
      entries: [
        {
          binding: 0,
          visibility: COMPUTE_STAGE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAM_BYTES },
        },
        ...bindings.map(
          (access, i): GPUBindGroupLayoutEntry => ({
            binding: i + 1,
            visibility: COMPUTE_STAGE,
            buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
          }),
        ),
      ],
    });
    this.#layouts.set(key, layout);
    return layout;
  }

  /** Makes a buffer. Call it within `scoped`, which turns a refusal into `OUT_OF_MEMORY`. */
  buffer(label: string, bytes: number, usage: number): GPUBuffer {
    return this.gpu.createBuffer({ label, size: Math.ceil(bytes / 4) * 4, usage });
  }

  /** The result of `use` on the content of a `MAP_READ` buffer, which is mapped during the call. */
  async mapped<T>(buffer: GPUBuffer, bytes: number, use: (content: ArrayBuffer) => T): Promise<T> {
    await this.#wait(buffer.mapAsync(MAP_MODE_READ, 0, bytes));
    this.throwIfLost();
    try {
      return use(buffer.getMappedRange(0, bytes));
    } finally {
      buffer.unmap();
    }
  }

  /** A copy of the content of a `MAP_READ` buffer. */
  read(buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    return this.mapped(buffer, bytes, (content) => content.slice(0));
  }

  destroy(): void {
    this.gpu.destroy();
  }
}

export function reportAdapter(adapter: Pick<GPUAdapter, 'info' | 'features'>): AdapterReport {
  const { info } = adapter;
  const { vendor = '', architecture = '', device = '', description = '' } = info ?? {};
  // Older browsers have the flag on the adapter instead of its info.
  const flagged =
    info?.isFallbackAdapter ??
    (adapter as unknown as { isFallbackAdapter?: boolean }).isFallbackAdapter ??
    false;
  const software = /swiftshader|llvmpipe|lavapipe|basic render|warp/i;
  return {
    vendor,
    architecture,
    device,
    description,
    isFallbackAdapter: flagged || software.test(`${architecture} ${device} ${description}`),
    features: [...adapter.features].sort(),
  };
}

const softwareOnly = ({ description, architecture }: AdapterReport): CrispenError =>
  new CrispenError(
    'NO_WEBGPU',
    `WebGPU runs in software here (${description || architecture || 'a fallback adapter'}).`,
    { hint: "WebAssembly is faster. The option backend: 'webgpu' takes the software adapter." },
  );

/** The compiler's messages, each with its line of source. */
async function compileError(
  kernel: Kernel,
  module: GPUShaderModule,
  cause: unknown,
): Promise<CrispenError> {
  const { messages } = await module.getCompilationInfo();
  const lines = kernel.code.split('\n');
  const errors = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, message }) => `line ${lineNum}: ${message}\n    ${lines[lineNum - 1] ?? ''}`);
  const details = errors.length > 0 ? errors.join('\n') : String(cause);
  return new CrispenError('INTERNAL', `Kernel "${kernel.label}" does not compile: ${details}`, {
    cause,
  });
}

const noWebGpu = (what: string, cause?: unknown): CrispenError =>
  new CrispenError('NO_WEBGPU', `${what}.`, {
    hint: 'Use a current browser with WebGPU, and enable hardware acceleration.',
    cause,
  });

const deviceLost = (reason: string): CrispenError =>
  new CrispenError('DEVICE_LOST', `The GPU device was lost: ${reason}.`, {
    hint: 'Try again. If it happens every time, choose a smaller image or restart the browser.',
  });

export const outOfMemory = (what: string): CrispenError =>
  new CrispenError('OUT_OF_MEMORY', what, {
    hint: 'Close other tabs that use the GPU, or choose a smaller image or memory budget.',
  });
