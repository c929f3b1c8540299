import { TILE_COLUMNS } from '../../kernels/kernel.ts';
import { type Choice, type MethodChoice, VARIANT_NAMES } from './tuning.ts';

const METHODS = [...VARIANT_NAMES, 'quad'] as const;

/** Reads a stored choice of methods (see `tuning.ts`). Returns null if it is invalid. */
export function choiceOf(
  value: { readonly [Name in keyof Choice]?: unknown } | null,
): Choice | null {
  const own = methodsOf(value);
  if (!own || value?.half === undefined) return own;
  const half = methodsOf(value.half as Parameters<typeof methodsOf>[0]);
  return half && { ...own, half };
}

function methodsOf(
  value: { readonly [Name in keyof MethodChoice]?: unknown } | null,
): MethodChoice | null {
  const fuse = (['none', 'ops', 'blocks'] as const).find((name) => name === value?.fuse);
  const conv = METHODS.find((name) => name === value?.conv);
  const tileColumns = TILE_COLUMNS.find((rows) => rows === value?.tileColumns);
  return fuse && conv && tileColumns ? { fuse, conv, tileColumns } : null;
}
