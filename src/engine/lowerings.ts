import type { Graph } from '../graph/graph.ts';
import type { ElementType } from '../kernels/kernel.ts';
import type { Device } from './device.ts';
import type { Fusion, LowerOptions } from './lower.ts';
import type { Methods, Tuning } from './tuning.ts';

/** Ops that no shipped network has. */
const OTHERS: ReadonlySet<string> = new Set([
  'concat',
  'pixelShuffle',
  'pixelUnshuffle',
  'prelu',
  'affine',
]);

/** What a tuning has for maps of a type. */
export const methodsFor = (tuning: Tuning, element: ElementType): Methods =>
  (element === 'f16' && tuning.half) || tuning;

/**
 * The lowering of what most networks lack, in chunks of their own: attention to far pixels, and the
 * ops of added checkpoints, which the levels below `ops` need too. Attention weights are kept for the
 * layers that share them while they take a quarter of the budget.
 */
export async function loadLowerings(
  { nodes }: Graph,
  { limits }: Device,
  { quads }: Methods,
  budget: number,
  fuse: Fusion | undefined,
): Promise<Pick<LowerOptions, 'nonlocal' | 'others'>> {
  const nonlocal = nodes.some(({ op }) => op === 'nonlocal');
  const others = nonlocal || fuse === 'none' || nodes.some(({ op }) => OTHERS.has(op));
  const bytes = Math.min(budget / 4, limits.maxStorageBufferBindingSize);
  const farOps = async () => {
    const { lowerNonlocal, plainProducts } = await import('./lowerNonlocal.ts');
    const quad = quads ? (await import('../kernels/nonlocalQuad.ts')).quadProducts : null;
    return lowerNonlocal(bytes, quad ?? plainProducts);
  };
  return {
    ...(nonlocal && { nonlocal: await farOps() }),
    ...(others && { others: (await import('./lowerOthers.ts')).otherOps }),
  };
}
