/** Crispen's public API. */

export { MODELS, type ModelEntry } from './catalog/manifest.ts';
export type { AddedTask, Task } from './catalog/task.ts';
export type { OutputType } from './codecs/formats.ts';
export type {
  Attention,
  AttentionBlock,
  AttentionClusters,
  AttentionKeys,
  AttentionMaps,
  GatedFeature,
} from './engine/oracle/attention.ts';
export type { AdapterReport } from './engine/types.ts';
export { CrispenError, type ErrorCode } from './errors.ts';
export type { BayerMosaic, BayerPattern } from './image/bayer.ts';
export * from './worker/page/client.ts';
