/**
 * The parts of the library that the fault sweep runs through their interfaces while one GPU call
 * fails.
 */
import { Engine } from '../../src/engine/engine.ts';
import { Device } from '../../src/engine/gpu/device.ts';
import { trace } from '../../src/engine/oracle/traceNetwork.ts';
import { type EncodableNetwork, prepareNetwork } from '../../src/engine/pipeline/encode.ts';
import { resize } from '../../src/engine/pipeline/resize.ts';
import { WholeImage } from '../../src/engine/pipeline/wholeImage.ts';
import { type QuickOptions, tuneQuickly } from '../../src/engine/tune/quick.ts';
import type { UpscaleOptions } from '../../src/engine/types.ts';
import { CrispenError } from '../../src/errors.ts';
import type { Rgba8Image, Rgba16Image } from '../../src/image/image.ts';
import { a2n } from '../../src/networks/a2n.ts';
import { compact } from '../../src/networks/compact.ts';
import { lcoan } from '../../src/networks/lcoan.ts';
import type { Network } from '../../src/networks/network.ts';
import type { TensorMap } from '../../src/weights/tensor.ts';
import { drawOn } from '../../src/worker/draw.ts';
import { EngineHost, type LoadModel } from '../../src/worker/host.ts';
import { seededImage, seededWeights } from '../seeded.ts';
import type { FaultyGpu } from './gpu.ts';

/** A part of the library that runs jobs on a GPU, one after the other. */
export interface Subject {
  /** Returns a job's result as numbers. The fault occurs in the first job, 0. */
  job(index: number): Promise<ArrayLike<number>>;
  close(): void;
}

export interface Scenario {
  readonly name: string;
  readonly open: (faulty: FaultyGpu) => Subject;
  /** Checks a result that cannot be compared number by number. Throws an error if it is invalid. */
  readonly check?: (result: ArrayLike<number>) => void;
  /**
   * The maximum number of faults per mode at each call site. They include the first and the last
   * call.
   */
  readonly perSite: number;
  /** Matches calls at which a real device is also lost, once for each kind of call. */
  readonly realLoss?: RegExp;
  readonly isPolled?: boolean;
}

/** Images in the form that the worker uses. The first image is cut into two tiles. */
const IMAGES = [seededImage(16, 8, 1), seededImage(12, 9, 2), seededImage(9, 9, 3)];

/** Runs a network in the same way as the worker. */
function onHost(
  network: Network,
  options: UpscaleOptions,
  run: (
    host: EngineHost,
    load: LoadModel,
    image: Rgba8Image,
    options: UpscaleOptions,
  ) => Promise<ArrayLike<number>> = async (host, load, image, options) => {
    const size = { width: image.width, height: image.height, depth: 8 } as const;
    const whole = new WholeImage(size, network.scale);
    await host.upscale('model', load, image, options, ({ data }) => whole.add(data));
    return whole.image.data;
  },
  weights: TensorMap = seededWeights(network),
): Scenario['open'] {
  return ({ gpu }) => {
    const host = new EngineHost(() => Engine.create({ gpu }));
    return {
      async job(index) {
        // The third job runs only without faults. It reloads the model.
        if (index === 2) await host.drop('model');
        return run(host, () => host.model('model', network, weights), IMAGES[index], options);
      },
      close: () => host.destroy(),
    };
  };
}

const small = compact({ scale: 2, features: 8, blocks: 2 });
const attention = a2n({
  scale: 2,
  features: 8,
  upsamplerFeatures: 4,
  blocks: 1,
  reduction: 4,
  inputRange: 1,
});
const far = lcoan({ scale: 2, features: 8, groups: 2, blocks: 1, clusters: 4, window: 32 });

// GPUTextureUsage and GPUBufferUsage are globals only in browsers, so their values are repeated
// here.
const [COPY_SRC, COPY_DST, TEXTURE_BINDING, STORAGE_BINDING] = [1, 2, 4, 8];
const [MAP_READ, BUFFER_COPY_DST] = [1, 8];

function texture(device: GPUDevice, width: number, height: number): GPUTexture {
  const usage = COPY_SRC | COPY_DST | TEXTURE_BINDING | STORAGE_BINDING;
  return device.createTexture({ size: [width, height], format: 'rgba8unorm', usage });
}

/** Reads a texture's pixels with calls that never fail. @throws CrispenError `DEVICE_LOST` */
async function readTexture(
  faulty: FaultyGpu,
  device: GPUDevice,
  source: GPUTexture,
): Promise<Uint8Array> {
  const { width, height } = source;
  const bytesPerRow = Math.ceil((width * 4) / 256) * 256;
  const size = bytesPerRow * height;
  const { buffer, mapped } = faulty.outside(() => {
    const buffer = device.createBuffer({ size, usage: MAP_READ | BUFFER_COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyTextureToBuffer({ texture: source }, { buffer, bytesPerRow }, [width, height]);
    device.queue.submit([encoder.finish()]);
    return { buffer, mapped: buffer.mapAsync(MAP_READ) };
  });
  await mapped.catch((cause) => {
    throw new CrispenError('DEVICE_LOST', 'The caller lost the device.', { cause });
  });
  const all = faulty.outside(() => new Uint8Array(buffer.getMappedRange().slice(0)));
  faulty.outside(() => buffer.destroy());
  return Uint8Array.from({ length: width * height * 4 }, (_, i) => {
    const row = Math.floor(i / (width * 4));
    return all[row * bytesPerRow + (i % (width * 4))];
  });
}

async function readBuffer(
  faulty: FaultyGpu,
  device: GPUDevice,
  source: GPUBuffer,
  size: number,
): Promise<ArrayBuffer> {
  const { buffer, mapped } = faulty.outside(() => {
    const buffer = device.createBuffer({ size, usage: MAP_READ | BUFFER_COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, buffer, 0, size);
    device.queue.submit([encoder.finish()]);
    return { buffer, mapped: buffer.mapAsync(MAP_READ) };
  });
  await mapped.catch((cause) => {
    throw new CrispenError('DEVICE_LOST', 'The caller lost the device.', { cause });
  });
  return faulty.outside(() => buffer.getMappedRange().slice(0));
}

/** Draws a result on a canvas in the same way as the worker. */
export const drawing =
  (network: Network, weights: TensorMap = seededWeights(network)): Scenario['open'] =>
  (faulty) => {
    let drawn: (() => Promise<Uint8Array>) | null = null;
    const canvas = () => {
      let device: GPUDevice;
      let shown: GPUTexture | undefined;
      const context = {
        configure(configuration: GPUCanvasConfiguration) {
          device = configuration.device;
        },
        getCurrentTexture() {
          const { width, height } = made;
          shown = faulty.outside(() => texture(device, width, height));
          drawn = () => readTexture(faulty, device, shown as GPUTexture);
          return shown;
        },
      };
      const watched = faulty.adopt(context, 'GPUCanvasContext');
      const made = { width: 1, height: 1, getContext: () => watched };
      return made as unknown as OffscreenCanvas;
    };
    const open = onHost(
      network,
      { tileSize: 8, submitMs },
      async (host, load, image, options) => {
        drawn = null;
        const size = { width: image.width * 2, height: image.height * 2 };
        const tags = { colorSpace: 'srgb' } as Parameters<typeof drawOn>[0]['tags'];
        const onto = { canvas: canvas(), size, tags };
        await host.run('model', load, (engine, model) =>
          drawOn(onto, engine, model, image, options),
        );
        return (drawn as unknown as () => Promise<Uint8Array>)();
      },
      weights,
    );
    return open(faulty);
  };

/** Resizes in strips without a network: first enlarges in 8 bits, then reduces in 16 bits. */
function resizing({ gpu }: FaultyGpu): Subject {
  const host = new EngineHost(() => Engine.create({ gpu }));
  return {
    async job(index) {
      const image = IMAGES[index];
      const { device } = host;
      const up = await resize(image, { width: 21, height: 17 }, { device });
      const wide: Rgba16Image = { ...image, data: Uint16Array.from(image.data, (v) => v * 257) };
      const down = await resize(wide, { width: 7, height: 5 }, { device });
      return [...up.data, ...down.data];
    },
    close: () => host.destroy(),
  };
}

/**
 * Encodes a network into the caller's own encoder. If the device is lost, the caller creates
 * another device.
 */
function encoding(faulty: FaultyGpu): Subject {
  let device: GPUDevice | null = null;
  const run = async (index: number): Promise<Uint8Array> => {
    const image = IMAGES[index];
    if (!device) {
      const adapter = await faulty.outside(() => faulty.gpu.requestAdapter());
      device = await faulty.outside(() => (adapter as GPUAdapter).requestDevice());
      const made = device;
      void made.lost.then(() => {
        if (device === made) device = null;
      });
    }
    const current = device;
    let network: EncodableNetwork | null = null;
    try {
      network = await prepareNetwork(current, small, seededWeights(small), {
        width: image.width,
        height: image.height,
      });
      const { width, height } = image;
      const [input, output, encoder] = faulty.outside(() => {
        const input = texture(current, width, height);
        current.queue.writeTexture(
          { texture: input },
          image.data as Uint8ClampedArray<ArrayBuffer>,
          { bytesPerRow: width * 4 },
          [width, height],
        );
        return [
          input,
          texture(current, width * 2, height * 2),
          current.createCommandEncoder(),
        ] as const;
      });
      network.encode(encoder, input, output);
      faulty.outside(() => current.queue.submit([encoder.finish()]));
      const { status, done } = network;
      const [isNotFinite, told] = new Uint32Array(await readBuffer(faulty, current, status, 8));
      if (isNotFinite || told !== done) {
        throw new CrispenError('INTERNAL', 'The caller saw that the run did not end.');
      }
      return await readTexture(faulty, current, output);
    } finally {
      network?.destroy();
    }
  };
  return { job: run, close: () => void device?.destroy() };
}

/**
 * Measures kernel variants. The times vary, so they cannot be compared, but each must be the result
 * of a measurement.
 */
function tuning(options: QuickOptions): Scenario['open'] {
  return ({ gpu }) => ({
    async job() {
      const device = await Device.open(gpu);
      try {
        const found = await tuneQuickly(device, options);
        return (found?.timed ?? []).map(([, , milliseconds]) => milliseconds);
      } finally {
        device.destroy();
      }
    },
    close() {},
  });
}

/** Reads individual nodes' values, as tests and developers do. */
function tracing({ gpu }: FaultyGpu): Subject {
  const host = new EngineHost(() => Engine.create({ gpu }));
  return {
    job: (index) =>
      host.retry(async (engine) => {
        const { width, height, data } = IMAGES[index];
        const input = {
          width,
          height,
          data: Float32Array.from({ length: 3 * width * height }, (_, i) => data[i] / 255),
        };
        const traced = await trace(engine, small, seededWeights(small), input, [
          'body.0',
          'output',
        ]);
        return [...traced.values()].flatMap(({ data }) => [...data]);
      }),
    close: () => host.destroy(),
  };
}

const positive = (result: ArrayLike<number>) => {
  for (const milliseconds of Array.from(result)) {
    if (!(milliseconds > 0)) throw new Error(`a measured time of ${milliseconds} ms`);
  }
};

/**
 * Makes each tile a single submission, so that the number of submissions does not depend on how
 * long they take.
 */
const submitMs = () => 1e4;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'compact',
    open: onHost(small, { tileSize: 8, submitMs }),
    perSite: 4,
    realLoss: /^GPU(Queue|Buffer)\./,
  },
  // Each dispatch is a separate submission.
  { name: 'a2n', open: onHost(attention, { tileSize: 8, submitMs: () => 1e-9 }), perSite: 2 },
  { name: 'draw', open: drawing(small), perSite: 1 },
  { name: 'resize', open: resizing, perSite: 2, realLoss: /./ },
  { name: 'polled', open: resizing, perSite: 1, isPolled: true },
  { name: 'encode', open: encoding, perSite: 1 },
  { name: 'trunk', open: onHost(far, { tileSize: 8, submitMs }), perSite: 1 },
  { name: 'trace', open: tracing, perSite: 1 },
  {
    name: 'tune',
    open: tuning({ side: 8, candidates: 2, budgetMs: 1e6 }),
    perSite: 1,
    check: positive,
    // Tuning skips software adapters. `isPolled` hides that this adapter is a software adapter.
    isPolled: true,
  },
];
