/**
 * Measures an adapter's ceilings, which are its highest speeds, with two micro-kernels. Other
 * measurements can then be expressed as shares of these ceilings.
 */
import type { ElementType } from '../src/kernels/kernel.ts';

export interface Ceiling {
  /** Multiply-adds per second in registers. f16 is null if the adapter does not support it. */
  readonly multiplyAdds: Readonly<Record<ElementType, number | null>>;
  /** The bytes per second that a copy between two buffers reads and writes. */
  readonly bandwidth: number;
  /**
   * Multiply-adds per second that one core executes in registers in WebAssembly; absent if not
   * measured.
   */
  readonly core?: number;
}

/**
 * The target duration of a measurement. It is long enough for submitting and waiting to be
 * negligible.
 */
const TARGET_MS = 60;
const ROUNDS = 5;
const INVOCATIONS = 2 ** 18;
const CHAINS = 8;
const UNROLLED = 4;
const COPY_BYTES = 64 * 2 ** 20;

/**
 * @throws Error if there is no adapter. If `signal` fires, its reason is thrown between two
 * measurements.
 */
export async function measureCeiling(
  gpu: GPU,
  signal?: AbortSignal,
): Promise<Omit<Ceiling, 'core'>> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('There is no adapter to measure.');
  const f16 = adapter.features.has('shader-f16');
  const device = await adapter.requestDevice({ requiredFeatures: f16 ? ['shader-f16'] : [] });
  try {
    return {
      multiplyAdds: {
        f32: await multiplyAdds(device, 'f32', signal),
        f16: f16 ? await multiplyAdds(device, 'f16', signal) : null,
      },
      bandwidth: await bandwidth(device, signal),
    };
  } finally {
    device.destroy();
  }
}

/**
 * Generates a shader with independent chains of x = x * m + c, which hide each other's latency. m
 * and c come from a uniform buffer, and the sums are written to a buffer. Therefore no compiler can
 * precompute or remove the work.
 */
function multiplyAddShader(element: ElementType): string {
  const chains = Array.from({ length: CHAINS }, (_, i) => `x${i}`);
  const step = chains.map((x) => `    ${x} = ${x} * m + c;`).join('\n');
  return `${element === 'f16' ? 'enable f16;\n' : ''}
alias V = vec4<${element}>;
struct Params { m: f32, c: f32, loops: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = V(${element}(p.m));
  let c = V(${element}(p.c));
${chains.map((x, i) => `  var ${x} = V(${element}(id.x & ${2 ** (i + 1) - 1}u));`).join('\n')}
  for (var i = 0u; i < p.loops; i++) {
${Array(UNROLLED).fill(step).join('\n')}
  }
  result[id.x] = vec4f(${chains.join(' + ')});
}`;
}

async function multiplyAdds(
  device: GPUDevice,
  element: ElementType,
  signal: AbortSignal | undefined,
): Promise<number> {
  const module = device.createShaderModule({ code: multiplyAddShader(element) });
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module, entryPoint: 'main' },
  });
  // Usages are written as numbers, because their names are globals only in browsers.
  const params = device.createBuffer({ size: 16, usage: 0x40 | 0x8 }); // UNIFORM | COPY_DST
  const result = device.createBuffer({ size: INVOCATIONS * 16, usage: 0x80 }); // STORAGE
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [
      { binding: 0, resource: { buffer: params } },
      { binding: 1, resource: { buffer: result } },
    ],
  });
  const loopsPerSecond = await best(device, signal, (encoder, loops) => {
    const words = new ArrayBuffer(16);
    new Float32Array(words).set([0.999, 0.001]);
    new Uint32Array(words)[2] = loops;
    device.queue.writeBuffer(params, 0, words);
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(INVOCATIONS / 64);
    pass.end();
  });
  return loopsPerSecond * INVOCATIONS * CHAINS * UNROLLED * 4;
}

async function bandwidth(device: GPUDevice, signal: AbortSignal | undefined): Promise<number> {
  const usage = 0x4 | 0x8; // COPY_SRC | COPY_DST
  const [from, to] = [0, 1].map(() => device.createBuffer({ size: COPY_BYTES, usage }));
  const copiesPerSecond = await best(device, signal, (encoder, copies) => {
    for (let i = 0; i < copies; i++) encoder.copyBufferToBuffer(from, 0, to, 0, COPY_BYTES);
  });
  return copiesPerSecond * COPY_BYTES * 2;
}

/**
 * Returns the number of rounds per second in the best of several measurements. Doubles the number
 * of rounds until they take long enough.
 */
async function best(
  device: GPUDevice,
  signal: AbortSignal | undefined,
  encode: (encoder: GPUCommandEncoder, rounds: number) => void,
): Promise<number> {
  const run = async (rounds: number): Promise<number> => {
    signal?.throwIfAborted();
    const encoder = device.createCommandEncoder();
    encode(encoder, rounds);
    const started = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - started;
  };
  let rounds = 1;
  await run(rounds);
  while ((await run(rounds)) < TARGET_MS && rounds < 2 ** 24) rounds *= 2;
  let shortest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS; i++) shortest = Math.min(shortest, await run(rounds));
  return (rounds * 1000) / shortest;
}
