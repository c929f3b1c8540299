import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import sharp from 'sharp';
import { CpuModel } from '../../src/cpu/model.ts';
import { upscale as upscaleOnCpu } from '../../src/cpu/upscale.ts';
import { Engine } from '../../src/engine/engine.ts';
import { WholeImage } from '../../src/engine/pipeline/wholeImage.ts';
import { CrispenError } from '../../src/errors.ts';
import type { Rgba8Image } from '../../src/image/image.ts';
import { detect } from '../../src/networks/detect.ts';
import { readSafetensors } from '../../src/weights/safetensors.ts';
import { EngineHost } from '../../src/worker/host.ts';
import { tinyCheckpoint } from '../checkpoints/tiny.ts';
import { testGpu } from '../gpu.ts';
import setup from '../gpu-setup.ts';
import { picture } from '../pictures.ts';
import { randomStream } from '../random.ts';
import { endsOf, type Held, isFlat, type SoakCounts, told } from './flat.ts';

const STUCK_MS = 60_000;
const STEPS = 10;
const SCALE = 2;
const IMAGES = [picture(12, 10), picture(9, 13), picture(30, 24)];
const STUCK = Symbol('stuck');
// GPUBufferUsage is a global only in browsers, so its values are repeated here.
const [MAP_READ, COPY_SRC, COPY_DST, STORAGE] = [0x1, 0x4, 0x8, 0x80];

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Counts a GPU's buffers that are not yet destroyed. */
function counted(gpu: GPU) {
  const living = new Map<GPUBuffer, number>();
  const requestAdapter: GPU['requestAdapter'] = async (options) => {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) return null;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      const createBuffer = device.createBuffer.bind(device);
      device.createBuffer = (wanted) => {
        const buffer = createBuffer(wanted);
        living.set(buffer, wanted.size);
        const destroy = buffer.destroy.bind(buffer);
        buffer.destroy = () => {
          living.delete(buffer);
          return destroy();
        };
        return buffer;
      };
      return device;
    };
    return adapter;
  };
  return { gpu: { requestAdapter } as GPU, living };
}

function held(living: ReadonlyMap<GPUBuffer, number>): Held {
  collect();
  const { heapUsed, rss } = process.memoryUsage();
  const bytes = [...living.values()].reduce((sum, size) => sum + size, 0);
  return { buffers: living.size, bytes, heap: heapUsed, process: rss };
}

/** Processes images alternately on the GPU and on the CPU. */
export async function soakInNode(
  images: number,
  seed: number,
  say: (text: string) => void,
): Promise<SoakCounts> {
  await setup();
  sharp.cache(false);
  const { gpu, living } = counted(testGpu());
  const host = new EngineHost(() => Engine.create({ gpu }));
  const { network, weights } = detect(readSafetensors(tinyCheckpoint(SCALE)).tensors);
  const cpu = await CpuModel.load(network, weights);
  const load = () => host.model('tiny', network, weights);
  const random = randomStream(seed);

  const onGpu = async (image: Rgba8Image, signal?: AbortSignal): Promise<Rgba8Image> => {
    const whole = new WholeImage({ ...image, depth: 8 }, SCALE);
    // The largest image is cut into tiles.
    const options = { tileSize: 32, ...(signal && { signal }) };
    await host.upscale('model', load, image, options, ({ data }) => whole.add(data));
    return whole.image as Rgba8Image;
  };
  const onCpu = async (image: Rgba8Image, signal?: AbortSignal): Promise<Rgba8Image> =>
    (await upscaleOnCpu(cpu, image, signal ? { signal } : {})).image;
  const ways = [onGpu, onCpu];
  const expected: Rgba8Image[][] = [];
  for (const image of IMAGES) {
    const both: Rgba8Image[] = [];
    for (const way of ways) both.push(await way(image));
    expected.push(both);
  }
  const same = (a: Rgba8Image, b: Rgba8Image) =>
    Buffer.from(a.data.buffer).equals(Buffer.from(b.data.buffer));
  const counts = { images, wrong: 0, stuck: 0, untyped: 0 };
  const samples: Held[] = [];
  const step = Math.max(1, Math.floor(images / STEPS));
  for (let i = 0; i < images; i++) {
    const [image, way] = [Math.floor(random() * IMAGES.length), i % ways.length];
    const controller = new AbortController();
    const isCancelled = random() < 0.1;
    if (isCancelled) setTimeout(() => controller.abort(), 20 * random());
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<typeof STUCK>((resolve) => {
      timer = setTimeout(resolve, STUCK_MS, STUCK);
    });
    try {
      const made = await Promise.race([ways[way](IMAGES[image], controller.signal), late]);
      if (made === STUCK) counts.stuck++;
      else if (!same(made, expected[image][way])) counts.wrong++;
    } catch (error) {
      const isDue = error instanceof CrispenError && error.code === 'ABORTED' && isCancelled;
      if (!isDue) {
        counts.untyped++;
        say(`image ${i}: ${error}`);
      }
    } finally {
      clearTimeout(timer);
    }
    // Other models are loaded and removed.
    if (i % 50 === 49) await host.drop('tiny');
    if ((i + 1) % step !== 0) continue;
    // Jobs share buffers, whose size depends on the last job. Every sample is therefore taken after
    // the same job.
    await onGpu(IMAGES[2]);
    const now = held(living);
    samples.push(now);
    say(`${i + 1} images: ${told(now)}`);
  }
  const ends = endsOf(samples);
  say(`control: ${await control(images)}`);
  return { ...counts, held: ends, flat: isFlat(ends.first, ends.last) };
}

/**
 * Runs the same number of rounds on the driver without Crispen: each round creates, fills, copies,
 * reads and destroys a buffer. If the process grows during these rounds, the driver is the cause.
 */
async function control(rounds: number): Promise<string> {
  const adapter = await testGpu().requestAdapter();
  const device = await adapter?.requestDevice();
  if (!device) throw new Error('no device for the control');
  const size = 2 ** 16;
  const data = new Uint32Array(size / 4).fill(7);
  const round = async () => {
    const [from, to] = [STORAGE | COPY_SRC | COPY_DST, MAP_READ | COPY_DST].map((usage) =>
      device.createBuffer({ size, usage }),
    );
    device.queue.writeBuffer(from, 0, data);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, 0, to, 0, size);
    device.queue.submit([encoder.finish()]);
    await to.mapAsync(MAP_READ);
    to.getMappedRange();
    to.unmap();
    for (const buffer of [from, to]) buffer.destroy();
  };
  const sizes: number[] = [];
  for (let i = 0; i < rounds; i++) {
    await round();
    if (i === Math.floor(rounds / 10) || i === rounds - 1) {
      sizes.push(held(new Map()).process);
    }
  }
  device.destroy();
  const grown = (sizes[sizes.length - 1] - sizes[0]) / 2 ** 20;
  return `the process grew by ${grown.toFixed(1)} MiB in ${rounds} rounds of the driver without Crispen`;
}
