import type { Graph } from '../../graph/graph.ts';
import { DEFAULT_WORKGROUP_LIMITS, tileColumnsFor } from '../../kernels/kernel.ts';
import { Emission, type EmitOptions } from './emit/emission.ts';
import { loadEmitters } from './emit/index.ts';
import { type FuseOptions, type Fusion, fuse } from './fuse.ts';
import type { Program } from './program.ts';

export interface LowerOptions extends EmitOptions, Pick<FuseOptions, 'keep'> {
  /** The default is `ops`. */
  readonly fuse?: Fusion | undefined;
}

/**
 * Lowers a graph by fusing its ops and turning each fused op into dispatches. No device is needed.
 */
export async function lower(graph: Graph, options: LowerOptions = {}): Promise<Program> {
  const { fuse: level = 'ops', keep = new Set(), image } = options;
  const { workgroup = DEFAULT_WORKGROUP_LIMITS } = options;
  const own = { keep, image, mixes: true };
  const fits = (channels: number) => tileColumnsFor(channels, workgroup) !== null;
  // The code for the fusion level `blocks` is loaded only on demand, because no adapter uses this
  // level by default.
  const whole =
    level === 'blocks'
      ? (await import('./emit/blocks.ts')).fuseBlocks(graph, { ...own, fits })
      : fuse(graph, { ...own, fuse: level });
  // The module `merge.ts` is only for transformers, which are recognised by their layer norms.
  const isMerged = level !== 'none' && whole.ops.some(({ op }) => op === 'layerNorm');
  const fused = isMerged ? (await import('./merge.ts')).merge(whole, keep, options.element) : whole;
  const emitters = await loadEmitters(fused.ops);
  const emission = new Emission(fused, keep, options);
  const emit = emitters(emission);
  for (const op of fused.ops) emit(op);
  return emission.program();
}
