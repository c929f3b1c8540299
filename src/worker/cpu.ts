/**
 * What runs without a GPU, in a chunk of its own that is loaded when somebody asks for it: the
 * interpreter with the kernels' references.
 */
export { estimateCpuMilliseconds, upscaleOnCpu } from '../engine/oracle/interpreter.ts';
