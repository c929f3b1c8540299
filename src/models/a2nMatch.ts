import { a2n } from './a2n.ts';
import { countBlocks, type Match, type Outline, shapeOf, upsamplerScales } from './match.ts';

/**
 * A2N or A2N-M of any size. The layers of x2 and x3 are the same: only the file's name can tell.
 * The second stage of x4 shows.
 */
export function matchA2N(outline: Outline): Match | null {
  const head = shapeOf(outline, 'conv_first.weight', 4);
  const hidden = shapeOf(outline, 'AAB_trunk.0.ADM.0.weight', 2);
  const branch = shapeOf(outline, 'AAB_trunk.0.non_attention.weight', 4);
  const up = shapeOf(outline, 'upconv1.weight', 4);
  if (!head || !hidden || !branch || !up) return null;
  const [features, channels] = head;
  const variant = branch[2] === 1 ? 'a2nm' : 'a2n';
  const config = {
    variant,
    features,
    channels,
    upsamplerFeatures: up[0],
    blocks: countBlocks(outline, 'AAB_trunk.#.'),
    // Halfway between the reductions that leave this width, so that rounding cannot change it.
    reduction: features / (hidden[0] + 0.5),
  } as const;
  return {
    architecture: variant === 'a2n' ? 'a2n' : 'a2n-m',
    ...upsamplerScales(outline),
    inputRange: 255,
    build: ({ scale, inputRange }) =>
      a2n({ ...config, scale: scale as 2 | 3 | 4, inputRange: inputRange ?? 255 }),
  };
}
