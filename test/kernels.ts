import { expect } from 'vitest';
import { decodeElements, encodeElements } from '../src/engine/gpu/element.ts';
import {
  bindingsOf,
  type ElementType,
  GROUP_ROW_WORD,
  type Grid,
  type Kernel,
  PARAM_WORDS,
  type Params,
  paramWords,
  prelude,
} from '../src/kernels/kernel.ts';
import { type PlanarMap, planarMap } from '../src/kernels/planar.ts';
import { requestF16Adapter, requestTestAdapter, requestTestDevice } from './gpu.ts';
import { randomStream } from './random.ts';

/** The initial content of memory before a kernel runs: a quiet NaN with a recognisable pattern. */
const POISON = 0x7fc0dead;

/** The same initial content for maps and weights in f16. */
const HALF_POISON = 0x7ead;

/**
 * The element type of maps and weights. It is `f16` in the f16 tests, which repeat the f32 tests.
 * The kernels' sources differ in only three aliases.
 */
export const ELEMENT: ElementType = process.env.CRISPEN_ELEMENT === 'f16' ? 'f16' : 'f32';

/**
 * Returns an adapter for kernel tests that need one while they load. Returns null in the f16 tests
 * on a machine without `shader-f16`, where every test is skipped. Otherwise, throws an error if
 * there is no adapter.
 */
export function requestKernelAdapter(): Promise<GPUAdapter | null> {
  return ELEMENT === 'f16' ? requestF16Adapter() : requestTestAdapter();
}

/**
 * Returns whether to test the convolutions that load weights by quads. They exist only in f32. On an
 * adapter without subgroups, they are skipped with a message.
 */
export async function testsQuads(): Promise<boolean> {
  if (ELEMENT === 'f16') return false;
  const has = (await requestKernelAdapter())?.features.has('subgroups') ?? false;
  if (!has) console.warn('SKIPPED: no subgroups here: convolutions by quads are untested');
  return has;
}

/** Returns values in -1..1 that the element type can represent. They are never all zero. */
export function randomValues(length: number, seed: number): Float32Array<ArrayBuffer> {
  const next = randomStream(seed);
  const values = Float32Array.from({ length }, () => next() * 2 - 1);
  const { buffer } = new Uint8Array(encodeElements(values, ELEMENT).buffer);
  return decodeElements(buffer, ELEMENT) as Float32Array<ArrayBuffer>;
}

/**
 * Converts a kernel from f32 to the tested element type. Also returns the bindings that contain
 * such elements.
 */
function ofElement({ code }: Kernel): { code: string; halves: ReadonlySet<number> } {
  const halves = new Set<number>();
  if (ELEMENT === 'f32') return { code, halves };
  for (const [, binding] of code.matchAll(
    /@binding\((\d+)\) var<(?:storage[^>]*|uniform)> \w+: array<E(4(x4)?)?[,>]/g,
  )) {
    halves.add(Number(binding));
  }
  const [enable, ...aliases] = prelude('f16').split('\n');
  const half = code.replace(prelude('f32'), aliases.join('\n'));
  return { code: `${enable}\n${half}`, halves };
}

export function randomMap(channels: number, height: number, width: number, seed = 1): PlanarMap {
  return {
    ...planarMap(channels, height, width),
    data: randomValues(channels * height * width, seed),
  };
}

/**
 * All tests in a file share one device, because creating a device takes longer than running most
 * kernels.
 */
let shared: GPUDevice | undefined;
/** Compiled kernels by source. The source contains no sizes, so most cases share a kernel. */
const pipelines = new Map<string, GPUComputePipeline>();

type Words = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export interface KernelRun {
  readonly grid: Grid;
  /** The uniform's words, or all of its parameters by name. */
  readonly params?: readonly number[] | Params;
  /** The content of each buffer that the kernel reads, in binding order. */
  readonly reads: readonly Words[];
  /**
   * The number of words in each buffer that the kernel writes, or the buffer's initial content.
   * Buffers without initial content are filled with poison.
   */
  readonly writes: readonly (number | Words)[];
  /** The number of workgroup rows per dispatch. By default, one dispatch contains all rows. */
  readonly rowsPerDispatch?: number;
}

/**
 * Runs a kernel on a device with the specification's default limits, and returns its output as u32
 * words. A compile or validation error makes the test fail.
 */
export async function runKernel(kernel: Kernel, run: KernelRun): Promise<Uint32Array[]> {
  shared ??= await requestTestDevice();
  const device = shared;
  const { code, halves } = ofElement(kernel);
  const garbage: GPUBuffer[] = [];
  try {
    device.pushErrorScope('validation');
    const storage =
      GPUBufferUsage.STORAGE |
      GPUBufferUsage.UNIFORM |
      GPUBufferUsage.COPY_DST |
      GPUBufferUsage.COPY_SRC;
    const upload = (data: Words | Uint16Array<ArrayBuffer>, usage: number): GPUBuffer => {
      const buffer = device.createBuffer({ size: data.byteLength, usage });
      garbage.push(buffer);
      device.queue.writeBuffer(buffer, 0, data);
      return buffer;
    };
    const given = { read: [...run.reads], write: [...run.writes] };
    const bindings = bindingsOf(kernel);
    const stored = bindings.map((type, i) => {
      const half = halves.has(i + 1);
      const content = given[type === 'storage' ? 'write' : 'read'].shift() as Words | number;
      if (typeof content === 'number') {
        return half
          ? new Uint16Array(content).fill(HALF_POISON)
          : new Uint32Array(content).fill(POISON);
      }
      if (!half) return content;
      const { buffer } = encodeElements(content as Float32Array<ArrayBuffer>, 'f16');
      return new Uint16Array(buffer);
    });
    expect(given).toEqual({ read: [], write: [] });
    const bound = stored.map((data) => upload(data, storage));

    const layout = device.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', minBindingSize: PARAM_WORDS * 4 },
        },
        ...bindings.map((type, i) => ({
          binding: i + 1,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type },
        })),
      ],
    });
    const pipeline = pipelines.get(code) ?? (await compile(device, code, layout));
    pipelines.set(code, pipeline);
    const [x, y, z] = run.grid;
    const rows = run.rowsPerDispatch ?? y;
    for (let row = 0; row < y; row += rows) {
      const words = new Uint32Array(PARAM_WORDS);
      words.set(wordsOf(kernel, run.params ?? []));
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
    for (const [i, buffer] of bound.entries()) {
      if (bindings[i] !== 'storage') continue;
      const staging = device.createBuffer({
        size: buffer.size,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
      garbage.push(staging);
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const content = staging.getMappedRange().slice(0);
      results.push(halves.has(i + 1) ? widened(content) : new Uint32Array(content));
    }
    const error = await device.popErrorScope();
    if (error) throw new Error(error.message);
    return results;
  } finally {
    for (const buffer of garbage) buffer.destroy();
  }
}

const wordsOf = (kernel: Kernel, params: readonly number[] | Params): readonly number[] =>
  Array.isArray(params) ? params : paramWords(kernel, params as Params);

async function compile(
  device: GPUDevice,
  code: string,
  layout: GPUBindGroupLayout,
): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter(({ type }) => type === 'error');
  const lines = errors.map(({ lineNum, message }) => {
    return `line ${lineNum}: ${message}\n    ${code.split('\n')[lineNum - 1]}`;
  });
  if (lines.length > 0) throw new Error(lines.join('\n'));
  return device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: 'main' },
  });
}

/** Converts f16 values to f32 bits. Values that the kernel did not write remain poison. */
function widened(content: ArrayBuffer): Uint32Array {
  const words = new Uint32Array(decodeElements(content, 'f16').buffer);
  new Uint16Array(content).forEach((half, i) => {
    if (half === HALF_POISON) words[i] = POISON;
  });
  return words;
}

/** Returns words as f32. Checks that the kernel wrote every word. */
export function written(words: Uint32Array): Float32Array {
  const unwritten = words.indexOf(POISON);
  if (unwritten >= 0) throw new Error(`element ${unwritten} of ${words.length} was not written`);
  return new Float32Array(words.buffer, words.byteOffset, words.length);
}

/**
 * The tolerance for values that are stored in f16. It covers the rounding of the value itself and
 * of the inputs from which it was computed.
 */
const HALF_TOLERANCE = 4e-3;

/**
 * Checks |actual - expected| <= abs + rel * |expected| for every element, and lists the first ten
 * mismatches. `abs` may contain a number for each element.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { abs = 1e-5, rel = 1e-5 }: { abs?: number | ArrayLike<number>; rel?: number } = {},
): void {
  expect(actual.length).toBe(expected.length);
  const half = ELEMENT === 'f16' ? HALF_TOLERANCE : 0;
  const wrong: string[] = [];
  for (let i = 0; i < expected.length && wrong.length < 10; i++) {
    const own = typeof abs === 'number' ? abs : abs[i];
    const allowed = half + own + (half + rel) * Math.abs(expected[i]);
    if (!(Math.abs(actual[i] - expected[i]) <= allowed)) {
      wrong.push(`[${i}] ${actual[i]} instead of ${expected[i]}`);
    }
  }
  expect(wrong).toEqual([]);
}
