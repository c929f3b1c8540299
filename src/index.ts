/** The public names of Crispen. */
export type { OutputType } from './codecs/encoder.ts';
export type { AdapterReport } from './engine/types.ts';
export { CrispenError, type ErrorCode } from './errors.ts';
export type { BayerMosaic, BayerPattern } from './image/bayer.ts';
export { MODELS, type ModelEntry } from './models/manifest.ts';
export type { AddedTask, Task } from './models/task.ts';
export * from './worker/client.ts';
