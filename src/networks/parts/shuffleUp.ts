import type { GraphBuilder, NodeId } from '../../graph/graph.ts';
import { convolutions } from './conv.ts';

/**
 * Appends EDSR's upsampler. Each stage is a 3x3 convolution, which multiplies the number of
 * channels by `factor^2`, and a pixel shuffle. x4 has two stages of factor 2, x8 has three, and x1
 * has none.
 */
export function shuffleUp(b: GraphBuilder, from: NodeId, scale: number, layer: string): NodeId {
  const { channels } = b.map(from);
  const conv = convolutions(b, channels);
  const powers: Readonly<Record<number, readonly number[]>> = { 1: [], 4: [2, 2], 8: [2, 2, 2] };
  const stages = powers[scale] ?? [scale];
  return stages.reduce((x, factor, i) => {
    const wide = conv(`up${i + 1}.conv`, x, `${layer}.${2 * i}`, channels * factor ** 2);
    return b.pixelShuffle(i === stages.length - 1 ? 'upsampled' : `up${i + 1}`, wide, factor);
  }, from);
}
