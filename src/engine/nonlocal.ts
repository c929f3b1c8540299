import type { Graph } from '../graph/graph.ts';
import type { Device } from './device.ts';
import type { NonlocalLowering } from './lower.ts';

/**
 * The lowering of a graph's attention to far pixels, in a chunk of its own: most networks have none.
 * Attention weights are kept for the layers that share them while they take a quarter of the budget.
 */
export async function loadNonlocal(
  { nodes }: Graph,
  { limits }: Device,
  budget: number,
): Promise<NonlocalLowering | undefined> {
  if (!nodes.some(({ op }) => op === 'nonlocal')) return;
  const bytes = Math.min(budget / 4, limits.maxStorageBufferBindingSize);
  return (await import('./lowerNonlocal.ts')).lowerNonlocal(bytes);
}
