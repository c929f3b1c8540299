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
 * The device that runs networks. `gpu` is WebGPU, on a software adapter if there is no GPU. `cpu`
 * is WebAssembly. `oracle` is a slow but simple reference implementation. Where `auto` is also
 * accepted, it means a real GPU if there is one, otherwise the CPU.
 */
export type DeviceName = 'gpu' | 'cpu' | 'oracle';
export const DEVICES: readonly (DeviceName | 'auto')[] = ['auto', 'gpu', 'cpu'];

/**
 * The GPU time that a submission should take, in milliseconds. In Node, no page has to stay
 * responsive, so only the driver's watchdog limits this time.
 */
const SUBMIT_MS = 100;

/** How an image is divided into tiles. Only `edge` and `statistics` affect the result. */
export type TilingChoice = Pick<
  UpscaleOptions,
  'tileSize' | 'memoryBudget' | 'edge' | 'statistics'
>;

/**
 * Upscales one image. The options override the tiling of the backend. The oracle does not use
 * tiles.
 */
type UpscaleFunction = (
  image: Rgba8Image,
  options?: RunOptions & TilingChoice,
) => Promise<UpscaleResult>;

/** One run of a network. The size is that of the input image. */
interface EstimatedRun extends Size {
  readonly network: Network;
}

/**
 * A runtime for quality measurements. It is either Crispen's engine or, for comparison, a different
 * runtime.
 */
export interface Measurer {
  readonly device: DeviceName | 'torch';
  /** The GPU adapter; null if there is none. */
  readonly adapter: AdapterReport | null;
  /** Loads weights once, for any number of images. */
  load(
    network: Network,
    weights: TensorMap,
  ): Promise<
    (
      ...args: Parameters<UpscaleFunction>
    ) => Promise<Pick<UpscaleResult, 'image'> & Partial<UpscaleResult>>
  >;
  close(): void;
}

/** Runs networks on one device, for the command line and for the library in Node. */
export interface Backend extends Measurer {
  readonly device: DeviceName;
  /** The GPU device that resizes images and alpha channels; null for the CPU. */
  readonly resampler: DeviceSource | null;
  /**
   * Creates a pass from a model. The function `enlarge` runs such passes. The CPU always computes
   * in f32.
   * @param precision the precision on a GPU; default `auto`
   */
  pass(
    model: Pick<ChosenModel, 'name' | 'network' | 'weights' | 'f16'>,
    precision?: Precision,
  ): Pass;
  load(network: Network, weights: TensorMap): Promise<UpscaleFunction>;
  /**
   * Runs the network once and returns the tensors that are named in `taps`. The values in `input`
   * are planar and in the network's input range.
   */
  trace(
    network: Network,
    weights: TensorMap,
    input: PlanarInput,
    taps: readonly string[],
    options?: {
      readonly fuse?: Fusion;
      /** Whether the CPU backend avoids optimisations that increase rounding errors. */
      readonly exact?: boolean;
    },
  ): Promise<Map<string, TracedTensor>>;
  /**
   * Estimates how long the given runs take, in milliseconds. On the CPU, the first call runs a
   * benchmark and must not run concurrently with other work. On a GPU, the estimate is based on the
   * speed of the last job. Before the first job, the estimate is null.
   */
  estimate(runs: readonly EstimatedRun[]): Promise<number | null>;
  /** The number of pipelines that were compiled for the GPU; 0 on the CPU. */
  readonly pipelines: number;
  /**
   * Benchmarks kernels briefly if the mode is `quick` and this GPU has not been measured yet. Call
   * this after an image has been upscaled, so that the benchmark does not delay the result.
   */
  tune(signal?: AbortSignal): Promise<void>;
}

/**
 * Opens a backend.
 * @param mode how kernels for a GPU are chosen; default `off`
 * @param threads the number of CPU threads; default: one per core, but at most 8
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
 * Like `openBackend`, but also accepts `all`, which opens a backend for each real GPU, or one for
 * the CPU if there is no GPU. Dawn (WebGPU for Node) cannot distinguish several GPUs of the same
 * model, so only one of them is used.
 */
export async function openBackends(
  device: DeviceName | 'auto' | 'all',
  tiling: TilingChoice,
  threads: number | undefined,
  mode: TuneMode,
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

/** Opens a GPU backend. After a device loss, work continues on a new device; see worker/host.ts. */
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
  /** Creates an id for a model, and a function that loads the model onto each new device. */
  const loading = (
    network: Network,
    weights: TensorMap,
    { wide = false, precision = 'f32' }: Pick<EngineModelOptions, 'wide' | 'precision'> = {},
  ): readonly [id: string, load: LoadModel] => {
    const id = `${models++}`;
    const load: LoadModel = (isF32) =>
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
      // This is the precision for 8-bit images. For 16-bit images, `auto` always selects f32,
      // because f16 is not precise enough.
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
          host.upscale(...byDepth[depthOf(image)], image, { ...paced, ...options }, sink),
      };
    },
    async load(network, weights) {
      const [id, load] = loading(network, weights);
      await host.load(id, load);
      return async (image, options) => {
        const { width, height } = image;
        const whole = new WholeImage({ width, height, depth: 8 }, network.scale);
        const report = await host.upscale(id, load, image, { ...paced, ...options }, ({ data }) =>
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
