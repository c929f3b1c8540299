/**
 * Crispen in Node. `createUpscaler()` creates an upscaler, which enlarges images from files, bytes
 * and streams on a GPU or the CPU. The package `sharp`, which decodes and encodes files, must be
 * installed. The optional package `webgpu` provides access to the GPU.
 * @module crispen/node
 */
export { MODELS, type ModelEntry } from '../catalog/manifest.ts';
export { CrispenError, type ErrorCode } from '../errors.ts';
export {
  createUpscaler,
  type NodeInfo,
  type NodeRequest,
  type NodeResult,
  type NodeSource,
  type NodeUpscaler,
  type NodeUpscalerOptions,
} from './upscaler.ts';
