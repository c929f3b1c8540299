import type { GraphBuilder, NodeId } from '../../graph/graph.ts';

/**
 * Appends EDSR's upsampler. Each stage is a 3x3 convolution, which multiplies the number of
 * channels by `factor^2`, and a pixel shuffle. x4 has two stages of factor 2, x8 has three, and x1
 * has none.
 */
export function shuffleUp(b: GraphBuilder, from: NodeId, scale: number, layer: string): NodeId {
  const { channels } = b.map(from);
  const powers: Readonly<Record<number, readonly number[]>> = { 1: [], 4: [2, 2], 8: [2, 2, 2] };
  const stages = powers[scale] ?? [scale];
  return stages.reduce((x, factor, i) => {
    const spec = { layer: `${layer}.${2 * i}`, kernel: 3, cOut: channels * factor ** 2 } as const;
    const wide = b.conv(`up${i + 1}.conv`, x, { ...spec, bias: true });
    return b.pixelShuffle(i === stages.length - 1 ? 'upsampled' : `up${i + 1}`, wide, factor);
  }, from);
}
