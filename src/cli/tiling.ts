import type { TilingChoice } from '../node/backend.ts';
import { CALLS } from '../worker/page/options.ts';
import { choice, parsed, positiveInteger, UsageError, type ValuesOf } from './command.ts';

/** The `parseArgs` options that `tilingOf` reads. */
export const TILING_OPTIONS = {
  tile: { type: 'string' },
  memory: { type: 'string' },
  edge: { type: 'string' },
  statistics: { type: 'string' },
} as const;

export const TILING_USAGE = `\
  --tile N         largest side of a tile in input pixels (default: the largest that fits into memory)
  --memory MB      megabytes of memory to use (default: 1 GiB; on a GPU at most the largest buffer)`;

const STATISTICS = ['exact', 'estimated'] as const;

/**
 * Parses the command-line options `--tile`, `--memory`, `--edge` and `--statistics`.
 * @throws UsageError for invalid values, and for an edge mode that the device does not support.
 */
export function tilingOf(values: ValuesOf<typeof TILING_OPTIONS>, device: string): TilingChoice {
  const { tile, memory, edge, statistics } = values;
  if (edge !== undefined && edge !== 'zero' && (device === 'oracle' || device === 'torch')) {
    throw new UsageError('--edge needs the device gpu or cpu.');
  }
  return {
    tileSize: parsed('--tile', tile, CALLS.upscale.tileSize),
    memoryBudget: memory === undefined ? undefined : positiveInteger('--memory', memory) * 1e6,
    edge: parsed('--edge', edge, CALLS.upscale.edge),
    statistics: choice('--statistics', statistics, STATISTICS),
  };
}
