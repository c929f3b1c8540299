import type { Graph } from '../../graph/graph.ts';
import { DEFAULT_WORKGROUP_LIMITS, tileColumnsFor } from '../../kernels/kernel.ts';
import { Emission, type EmitOptions } from './emit/emission.ts';
import { loadEmitters } from './emit/index.ts';
import { type FuseOptions, fuse } from './fuse.ts';
import type { Program } from './program.ts';

export type LowerOptions = EmitOptions & Pick<FuseOptions, 'fuse' | 'keep'>;

/** Lowers a graph: fuses ops, then turns each fused op into dispatches. No device is involved. */
export async function lower(graph: Graph, options: LowerOptions = {}): Promise<Program> {
  const { fuse: level, keep = new Set(), image, workgroup = DEFAULT_WORKGROUP_LIMITS } = options;
  const fits = (channels: number) => tileColumnsFor(channels, workgroup) !== null;
  const whole = fuse(graph, { ...(level && { fuse: level }), keep, image, fits });
  // Only transformers have larger ops than these.
  const isMerged = level !== 'none' && whole.ops.some(({ op }) => op === 'layerNorm');
  const fused = isMerged ? (await import('./merge.ts')).merge(whole, keep, options.element) : whole;
  const emitters = await loadEmitters(fused.ops);
  const emission = new Emission(fused, keep, options);
  const emit = emitters(emission);
  for (const op of fused.ops) emit(op);
  return emission.program();
}
