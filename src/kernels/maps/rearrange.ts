import { internal } from '../../errors.ts';
import { MAX_PARTS } from '../../graph/graph.ts';
import channelsSource from '../../shaders/maps/channels.wgsl?raw';
import concatSource from '../../shaders/maps/concat.wgsl?raw';
import shuffleSource from '../../shaders/maps/pixelShuffle.wgsl?raw';
import { assemble, contract, type ElementType, MAP_WORDS } from '../kernel.ts';

const SHADERS = {
  'maps/channels': channelsSource,
  'maps/concat': concatSource,
  'maps/pixelShuffle': shuffleSource,
};

/**
 * Returns the constants `<name>0` to `<name>4` for the parts of a concatenation. Constant number
 * `i` is the total size of parts 0 to `i`. If there are fewer than five parts, the remaining
 * constants repeat the total size of all parts.
 */
function partEnds(name: string, sizes: readonly number[]): Record<string, number> {
  let end = 0;
  const ends: Record<string, number> = {};
  for (let i = 0; i < MAX_PARTS; i++) {
    end += sizes[i] ?? 0;
    ends[`${name}${i}`] = end;
  }
  return ends;
}

/** The bindings are `x0` to `x4` and `y`. The grid is `mapGrid(width, height, blocks)` for `y`. */
export function concatKernel(channels: readonly number[], element: ElementType = 'f32') {
  if (channels.length > MAX_PARTS) throw internal(`${channels.length} maps to join`);
  return {
    label: `concat ${channels.join('+')}`,
    code: assemble(
      element,
      { PARTS: channels.length, ...partEnds('CHANNEL_END', channels) },
      'maps/concat',
      SHADERS,
    ),
    ...contract(['x0', 'x1', 'x2', 'x3', 'x4'], ['y'], MAP_WORDS),
  };
}

/**
 * The bindings are `x` and `y`. `channels` is the number of output channels, and the grid is
 * `mapGrid(width, height, blocks)` for the output.
 */
export function pixelShuffleKernel(
  direction: 'pixelShuffle' | 'pixelUnshuffle',
  scale: number,
  channels: number,
  element: ElementType = 'f32',
) {
  return {
    label: `${direction} ${scale}`,
    code: assemble(
      element,
      { S: scale, UNSHUFFLE: direction === 'pixelUnshuffle', CHANNELS: channels },
      'maps/pixelShuffle',
      SHADERS,
    ),
    ...contract(['x'], ['y'], MAP_WORDS),
  };
}

interface ChannelsSpec {
  /** The first channel that is read. */
  readonly first: number;
  /** Each input channel is copied to this many consecutive output channels. */
  readonly times: number;
  /** The number of output channels. */
  readonly count: number;
}

/** The bindings are `x` and `y`. The grid is `mapGrid(width, height, blocks)` for `y`. */
export const channelsKernel = (
  { first, times, count }: ChannelsSpec,
  element: ElementType = 'f32',
) => ({
  label: `${count} channels from ${first}, ${times} times`,
  code: assemble(element, { FIRST: first, TIMES: times, COUNT: count }, 'maps/channels', SHADERS),
  ...contract(['x'], ['y'], MAP_WORDS),
});
