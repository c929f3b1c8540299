import { expect } from 'vitest';
import { GROUP_ROW_WORD, type Grid, type Kernel, PARAM_WORDS } from '../src/kernels/kernel.ts';
import { type PlanarMap, planarMap } from '../src/kernels/planar.ts';
import { requestTestDevice } from './gpu.ts';
import { randomStream } from './random.ts';

/** What unwritten memory holds before a kernel runs: a quiet NaN with a pattern of its own. */
const POISON = 0x7fc0dead;

/** Values in -1..1, never all zero. */
export function randomValues(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = randomStream(seed);
  return Float32Array.from({ length }, () => next() * 2 - 1);
}

export function randomMap(channels: number, height: number, width: number, seed = 1): PlanarMap {
  return {
    ...planarMap(channels, height, width),
    data: randomValues(channels * height * width, seed),
  };
}

/** One device for all tests of a file: making one takes longer than most kernels. */
let shared: GPUDevice | undefined;
/** Compiled kernels by source: sizes are not part of it, so most cases share one. */
const pipelines = new Map<string, GPUComputePipeline>();

type Words = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export interface KernelRun {
  readonly grid: Grid;
  readonly params?: readonly number[];
  /** Content of the buffers that the kernel reads, in binding order. */
  readonly reads: readonly Words[];
  /** Words of each buffer that the kernel writes; poisoned unless content is given. */
  readonly writes: readonly (number | Words)[];
  /** Rows of workgroups per dispatch; default all in one. */
  readonly rowsPerDispatch?: number;
}

/**
 * Runs a kernel on a device with the specification's default limits and returns what it wrote, as
 * u32 words. Compile and validation errors fail the test.
 */
export async function runKernel(kernel: Kernel, run: KernelRun): Promise<Uint32Array[]> {
  shared ??= await requestTestDevice();
  const device = shared;
  const garbage: GPUBuffer[] = [];
  try {
    device.pushErrorScope('validation');
    const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const upload = (data: Words, usage: number): GPUBuffer => {
      const buffer = device.createBuffer({ size: data.byteLength, usage });
      garbage.push(buffer);
      device.queue.writeBuffer(buffer, 0, data);
      return buffer;
    };
    const reads = run.reads.map((data) => upload(data, storage));
    const writes = run.writes.map((content) =>
      upload(
        typeof content === 'number' ? new Uint32Array(content).fill(POISON) : content,
        storage,
      ),
    );
    const queues = { read: [...reads], write: [...writes] };
    const bound = kernel.bindings.map((access) => queues[access].shift() as GPUBuffer);
    expect(queues).toEqual({ read: [], write: [] });

    const layout = device.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', minBindingSize: PARAM_WORDS * 4 },
        },
        ...kernel.bindings.map((access, i) => ({
          binding: i + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } as const,
        })),
      ],
    });
    const pipeline =
      pipelines.get(kernel.code) ??
      (await device.createComputePipelineAsync({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module: device.createShaderModule({ code: kernel.code }), entryPoint: 'main' },
      }));
    pipelines.set(kernel.code, pipeline);
    const [x, y, z] = run.grid;
    const rows = run.rowsPerDispatch ?? y;
    for (let row = 0; row < y; row += rows) {
      const words = new Uint32Array(PARAM_WORDS);
      words.set(run.params ?? []);
      if (row > 0) words[GROUP_ROW_WORD] = row;
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout,
          entries: [upload(words, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST), ...bound].map(
            (buffer, binding) => ({ binding, resource: { buffer } }),
          ),
        }),
      );
      pass.dispatchWorkgroups(x, Math.min(rows, y - row), z);
      pass.end();
      device.queue.submit([encoder.finish()]);
    }
    const results: Uint32Array[] = [];
    for (const buffer of writes) {
      const staging = device.createBuffer({
        size: buffer.size,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
      garbage.push(staging);
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      results.push(new Uint32Array(staging.getMappedRange().slice(0)));
    }
    const error = await device.popErrorScope();
    if (error) throw new Error(error.message);
    return results;
  } finally {
    for (const buffer of garbage) buffer.destroy();
  }
}

/** f32 view of words, after checking that the kernel wrote every one of them. */
export function written(words: Uint32Array): Float32Array {
  const unwritten = words.indexOf(POISON);
  if (unwritten >= 0) throw new Error(`element ${unwritten} of ${words.length} was not written`);
  return new Float32Array(words.buffer, words.byteOffset, words.length);
}

/** |actual - expected| <= abs + rel * |expected| everywhere; lists the first ten mismatches. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { abs = 1e-5, rel = 1e-5 } = {},
): void {
  expect(actual.length).toBe(expected.length);
  const wrong: string[] = [];
  for (let i = 0; i < expected.length && wrong.length < 10; i++) {
    const allowed = abs + rel * Math.abs(expected[i]);
    if (!(Math.abs(actual[i] - expected[i]) <= allowed)) {
      wrong.push(`[${i}] ${actual[i]} instead of ${expected[i]}`);
    }
  }
  expect(wrong).toEqual([]);
}
