import { type Grid, type Kernel, type Params, paramWords } from '../../kernels/kernel.ts';
import { type Device, USAGE } from './device.ts';
import { binding, PARAM_BYTES, type Pipeline } from './pipelines.ts';

/** A kernel with its bound buffers, for work outside a network, such as resizing an image. */
export interface BoundKernel<P extends string> {
  readonly uniform: GPUBuffer;
  /**
   * Writes the parameters to the uniform buffer, for all later submissions. Returns the 32-bit
   * words that were written. Call this method within error scopes.
   */
  set(params: Params<P>): Uint32Array<ArrayBuffer>;
  dispatch(pass: GPUComputePassEncoder, grid: Grid): void;
}

export const uniformUsage = USAGE.UNIFORM | USAGE.COPY_DST | USAGE.COPY_SRC;

/**
 * Binds buffers to a kernel by the names in the kernel's `reads` and `writes`. Call this function
 * within error scopes.
 * @param uniform a buffer of `PARAM_BYTES` bytes with the usage `uniformUsage`
 */
export function bindKernel<R extends string, W extends string, P extends string>(
  device: Device,
  kernel: Kernel<R, W, P>,
  { pipeline, layout }: Pipeline,
  uniform: GPUBuffer,
  buffers: Readonly<Record<NoInfer<R | W>, GPUBuffer>>,
): BoundKernel<P> {
  const bound = [...kernel.reads, ...kernel.writes].map((name) => ({ buffer: buffers[name] }));
  const uniforms = { buffer: uniform, size: PARAM_BYTES };
  const group = device.gpu.createBindGroup(binding(layout, [uniforms, ...bound], kernel.label));
  return {
    uniform,
    set(params) {
      const words = Uint32Array.from(paramWords(kernel, params));
      device.gpu.queue.writeBuffer(uniform, 0, words);
      return words;
    },
    dispatch(pass, grid) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group, [0]);
      pass.dispatchWorkgroups(...grid);
    },
  };
}
