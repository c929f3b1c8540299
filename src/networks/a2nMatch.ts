import { a2n } from './a2n.ts';
import { countBlocks, type Match, type Outline, shapeOf, upsamplerScales } from './match.ts';

/**
 * A2N or A2N-M of any size; without upsampler it restores at x1. The layers of x2 and x3 are the same: only the file's name can tell.
 * The second stage of x4 shows.
 */
export function matchA2N(outline: Outline): Match | null {
  const head = shapeOf(outline, 'conv_first.weight', 4);
  const hidden = shapeOf(outline, 'AAB_trunk.0.ADM.0.weight', 2);
  const branch = shapeOf(outline, 'AAB_trunk.0.non_attention.weight', 4);
  const up = shapeOf(outline, 'upconv1.weight', 4);
  const last = shapeOf(outline, 'conv_last.weight', 4);
  if (!head || !hidden || !branch || !last) return null;
  // Without upsampler the last convolution reads the trunk.
  if (!up && last[1] !== head[0]) return null;
  const [features, channels] = head;
  const variant = branch[2] === 1 ? 'a2nm' : 'a2n';
  const config = {
    variant,
    features,
    channels,
    ...(up && { upsamplerFeatures: up[0] }),
    blocks: countBlocks(outline, 'AAB_trunk.#.'),
    // Halfway between the reductions that leave this width, so that rounding cannot change it.
    reduction: features / (hidden[0] + 0.5),
  } as const;
  return {
    architecture: variant === 'a2n' ? 'a2n' : 'a2n-m',
    ...(up ? upsamplerScales(outline) : { scales: [1] }),
    inputRange: 255,
    build: ({ scale, inputRange }) =>
      a2n({ ...config, scale: scale as 1 | 2 | 3 | 4, inputRange: inputRange ?? 255 }),
  };
}
