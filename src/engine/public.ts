/** `crispen/engine` is the entry point for WebGPU programmers. */
export { CrispenError, type ErrorCode } from '../errors.ts';
export { type BayerMosaic, type BayerPattern, demosaicBilinear } from '../image/bayer.ts';
export { type Detection, detect, recognise } from '../networks/detect.ts';
export type { Network } from '../networks/network.ts';
export { createNetwork } from '../networks/registry.ts';
export { readWeights, type WeightFile } from '../weights/read.ts';
export type { Tensor, TensorMap } from '../weights/tensor.ts';
export * from './pipeline/encode.ts';
