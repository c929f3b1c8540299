import type { Speed } from '../cpu/estimate.ts';
import type { CpuModel } from '../cpu/model.ts';
import type { Fusion } from '../engine/compile/fuse.ts';
import type { ModelOptions as EngineModelOptions } from '../engine/engine.ts';
import type { Device, DeviceSource } from '../engine/gpu/device.ts';
import { estimateCpuMilliseconds, interpret, upscaleOnCpu } from '../engine/oracle/interpreter.ts';
import { findTaps, type PlanarInput } from '../engine/oracle/trace.ts';
import type { Pass } from '../engine/pipeline/enlarge.ts';
import { WholeImage } from '../engine/pipeline/wholeImage.ts';
import { choosePrecision, type Precision } from '../engine/tune/precision.ts';
import type {
  AdapterReport,
  RunOptions,
  TracedTensor,
  UpscaleOptions,
  UpscaleResult,
} from '../engine/types.ts';
import { multiplyAddsOf } from '../engine/work.ts';
import type { Size } from '../geometry.ts';
import { depthOf, type Rgba8Image } from '../image/image.ts';
import type { Network } from '../networks/network.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { LoadModel } from '../worker/host.ts';
import type { TuneMode } from '../worker/protocol.ts';
import { openGpu, openRealGpu, openRealGpus } from './driver.ts';
import type { ChosenModel } from './model.ts';

/**
 * `gpu`: WebGPU, on a software adapter if there is no other. `cpu`: WebAssembly. `oracle`: plain
 * loops, slow and obviously correct. `auto`: a real GPU, otherwise the CPU.
 */
export type DeviceName = 'gpu' | 'cpu' | 'oracle';
export const DEVICES: readonly (DeviceName | 'auto')[] = ['auto', 'gpu', 'cpu'];

/**
 * GPU milliseconds per submission. No page has to stay smooth here, so only the driver's watchdog
 * limits it.
 */
const SUBMIT_MS = 100;

/** How an image is cut into tiles. The result only depends on `edge` and `statistics`. */
export type TilingChoice = Pick<
  UpscaleOptions,
  'tileSize' | 'memoryBudget' | 'edge' | 'statistics'
>;

/** Upscales one image. `tiling` overrides the backend's tiling. The oracle has no tiles. */
export type UpscaleFunction = (
  image: Rgba8Image,
  options?: RunOptions & TilingChoice,
) => Promise<UpscaleResult>;

/** The part of a model that a pass needs. */
export type PassModel = Pick<ChosenModel, 'name' | 'network' | 'weights' | 'f16'>;

/** A run of a network over an image of a size. */
export interface EstimatedRun extends Size {
  readonly network: Network;
}

/** Measures quality: an engine, or another runtime as a second opinion. */
export interface Measurer {
  readonly device: DeviceName | 'torch';
  /** Null if there is no GPU. */
  readonly adapter: AdapterReport | null;
  /** Loads weights once for any number of images. */
  load(
    network: Network,
    weights: TensorMap,
  ): Promise<
    (
      image: Rgba8Image,
      options?: RunOptions & TilingChoice,
    ) => Promise<Pick<UpscaleResult, 'image'> & Partial<UpscaleResult>>
  >;
  close(): void;
}

/** An engine as the commands need it, on the GPU or on the CPU. */
export interface Backend extends Measurer {
  readonly device: DeviceName;
  /** Where alpha and sizes are resampled; null for the CPU. */
  readonly resampler: DeviceSource | null;
  /**
   * Makes a model one pass of `enlarge`. The CPU computes in f32.
   * @param precision default `auto`
   */
  pass(model: PassModel, precision?: Precision): Pass;
  load(network: Network, weights: TensorMap): Promise<UpscaleFunction>;
  /** Computes the named tensors in one run on a planar input in the network's range. */
  trace(
    network: Network,
    weights: TensorMap,
    input: PlanarInput,
    taps: readonly string[],
    options?: {
      readonly fuse?: Fusion;
      /** On the CPU, whether to avoid everything that saves time but rounds more. */
      readonly exact?: boolean;
    },
  ): Promise<Map<string, TracedTensor>>;
  /**
   * Milliseconds that networks take for LR images. The CPU is measured at the first call, which must not run
   * beside other work. A GPU is as fast as in the last job; null before the first one.
   */
  estimate(runs: readonly EstimatedRun[]): Promise<number | null>;
  /** How many pipelines the GPU has compiled; 0 on the CPU. */
  readonly pipelines: number;
  /**
   * To be called after the first image: measures kernels quickly if nothing is known about this
   * GPU.
   */
  tune(signal?: AbortSignal): Promise<void>;
  close(): void;
}

/**
 * Opens a backend.
 * @param mode how kernels for a GPU are chosen; default `off`
 * @param threads of the CPU backend, by default one per core
 * @throws CrispenError `NO_WEBGPU` for `gpu` on a machine without an adapter.
 */
export async function openBackend(
  device: DeviceName | 'auto',
  tiling: TilingChoice = {},
  threads?: number,
  mode: TuneMode = 'off',
): Promise<Backend> {
  switch (device) {
    case 'oracle':
      return ORACLE;
    case 'cpu':
      return openCpuBackend(tiling, threads);
    case 'gpu':
      return openGpuBackend(tiling, await openGpu(), mode);
    case 'auto': {
      const gpu = await openRealGpu();
      return gpu ? openGpuBackend(tiling, gpu, mode) : openCpuBackend(tiling, threads);
    }
  }
}

/**
 * Like `openBackend`. For `all`, it opens one backend on each real GPU that can be told apart, or
 * else the CPU.
 */
export async function openBackends(
  device: DeviceName | 'auto' | 'all',
  tiling: TilingChoice = {},
  threads?: number,
  mode: TuneMode = 'off',
): Promise<readonly Backend[]> {
  if (device !== 'all') return [await openBackend(device, tiling, threads, mode)];
  const gpus = await openRealGpus();
  if (gpus.length === 0) return [await openCpuBackend(tiling, threads)];
  return Promise.all(gpus.map((gpu) => openGpuBackend(tiling, gpu, mode)));
}

const ORACLE: Backend = {
  device: 'oracle',
  adapter: null,
  resampler: null,
  pass: ({ name, network, weights }) => ({
    model: name,
    scale: network.scale,
    async run(image, options, sink) {
      const { image: whole, report } = await upscaleOnCpu(network, weights, image, options);
      await sink({ ...whole, y: 0 });
      return report;
    },
  }),
  async load(network, weights) {
    return (image, options) => upscaleOnCpu(network, weights, image, options);
  },
  trace: (network, weights, input, taps) => interpret(network, weights, input, taps),
  async estimate(runs) {
    return runs.reduce(
      (sum, { network, width, height }) => sum + estimateCpuMilliseconds(network, width, height),
      0,
    );
  },
  pipelines: 0,
  async tune() {},
  close() {},
};

async function openCpuBackend(tiling: TilingChoice, threads?: number): Promise<Backend> {
  const { CpuModel } = await import('../cpu/model.ts');
  const { upscale, upscaleStrips } = await import('../cpu/upscale.ts');
  const crew = (await import('./threads.ts')).openCrew(threads);
  let speed: Promise<Speed> | undefined;
  return {
    device: 'cpu',
    adapter: null,
    resampler: null,
    pass({ name, network, weights }) {
      let loading: Promise<CpuModel> | undefined;
      return {
        model: name,
        scale: network.scale,
        async run(image, options, sink) {
          loading ??= CpuModel.load(network, weights, { crew });
          return upscaleStrips(await loading, image, { ...tiling, ...options }, sink);
        },
      };
    },
    async load(network, weights) {
      const model = await CpuModel.load(network, weights, { crew });
      return (image, options) => upscale(model, image, { ...tiling, ...options });
    },
    async trace(network, weights, input, taps, { fuse, exact } = {}) {
      const keep = findTaps(network.graph, taps);
      const level = fuse === 'none' ? fuse : 'ops';
      const model = await CpuModel.load(network, weights, { crew, keep, fuse: level, exact });
      return (await import('../cpu/trace.ts')).traceOnCpu(model, input, taps);
    },
    async estimate(runs) {
      const { estimateMilliseconds, measureSpeed } = await import('../cpu/estimate.ts');
      speed ??= measureSpeed(crew);
      let total = 0;
      for (const { network, width, height } of runs) {
        total += await estimateMilliseconds(network, width, height, await speed);
      }
      return total;
    },
    pipelines: 0,
    async tune() {},
    close: () => crew.close(),
  };
}

/**
 * Opens the GPU. After a loss of the device, the work continues on another, as in worker/host.ts.
 */
async function openGpuBackend(tiling: TilingChoice, gpu: GPU, mode: TuneMode): Promise<Backend> {
  const { Engine } = await import('../engine/engine.ts');
  const { trace } = await import('../engine/oracle/traceNetwork.ts');
  const { EngineHost } = await import('../worker/host.ts');
  const { tuneInNode, tuningInNode } = await import('./tuned.ts');
  const tuning = tuningInNode(gpu, mode);
  let device: Device | undefined;
  const host = new EngineHost(async () => {
    const engine = await Engine.create({ gpu, tuning });
    device = engine.device;
    return engine;
  });
  const { adapter } = await host.engine();
  let models = 0;
  /** Loads a model under its own id, again for each new device. */
  const loading = (
    network: Network,
    weights: TensorMap,
    { wide = false, precision = 'f32' }: Pick<EngineModelOptions, 'wide' | 'precision'> = {},
  ): readonly [id: string, load: LoadModel] => {
    const id = `${models++}`;
    const load: LoadModel = (_, isF32) =>
      host.model(isF32 ? `${id} in f32` : id, network, weights, {
        wide,
        precision: isF32 ? 'f32' : precision,
      });
    return [id, load];
  };
  const paced = { ...tiling, submitMs: () => SUBMIT_MS };
  return {
    device: 'gpu',
    adapter,
    resampler: host.device,
    pass({ name, network, weights, f16 }, wish = 'auto') {
      // 16-bit samples are finer than f16.
      const precision = choosePrecision(wish, f16, adapter);
      const byDepth = {
        8: loading(network, weights, { precision }),
        16: loading(network, weights, {
          wide: true,
          precision: choosePrecision(wish, false, adapter),
        }),
      };
      return {
        model: name,
        scale: network.scale,
        run: (image, options, sink) =>
          host.upscale(...byDepth[depthOf(image)], image, { ...options, ...paced }, sink),
      };
    },
    async load(network, weights) {
      const [id, load] = loading(network, weights);
      await host.load(id, load);
      return async (image, options) => {
        const { width, height } = image;
        const whole = new WholeImage({ width, height, depth: 8 }, network.scale);
        const report = await host.upscale(id, load, image, { ...options, ...paced }, ({ data }) =>
          whole.add(data),
        );
        return { image: whole.image as Rgba8Image, report };
      };
    },
    trace: (network, weights, input, taps, options) =>
      host.retry((engine) => trace(engine, network, weights, input, taps, options)),
    estimate: (runs) =>
      host.retry((engine) => engine.run(async ({ pace }) => pace.expect(multiplyAddsOf(runs)))),
    get pipelines() {
      return device?.pipelines ?? 0;
    },
    async tune(signal) {
      if (mode === 'quick') await tuneInNode(gpu, await host.device(), signal);
    },
    close: () => host.destroy(),
  };
}
