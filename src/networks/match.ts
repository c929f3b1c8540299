import type { Gate, OffsetLayout } from '../graph/nonlocalOp.ts';
import type { Outline, TensorMap } from '../weights/tensor.ts';
import type { Network } from './network.ts';

export type { Outline };

/** The activation function of a Compact network, named as in the network's training code. */
export type CompactActivation = 'prelu' | 'relu' | 'leakyrelu';

/**
 * The settings that the tensors in a network's weight file might not determine. Each setting has a
 * default value.
 */
export interface NetworkSettings {
  readonly inputRange?: number | undefined;
  /** The activation function of a Compact network whose file contains no PReLU slopes. */
  readonly activation?: CompactActivation | undefined;
  /** The factor for the residuals of EDSR (with or without ACLA), RCAN, LCoAN and DLSN. */
  readonly residualScale?: number | undefined;
  /**
   * SPAN, SwinIR, SRFormer and BasicSR's EDSR first scale their input pixels to values between 0
   * and this number.
   */
  readonly imageRange?: number | undefined;
  /** The number of pixels in each window of LCoAN's attention; default 384. */
  readonly window?: number | undefined;
  /** How offsets are assigned to the keys of ACLA's attention; default `paired`. */
  readonly offsets?: OffsetLayout | undefined;
  /**
   * Whether ACLA's attention ends with a depthwise convolution. The file contains the weights of
   * that convolution in either case.
   */
  readonly depthwise?: boolean | undefined;
  /** How the gate of ACLA's attention changes the keys' logits; default `exclude`. */
  readonly gate?: Gate | undefined;
}

/** The scale and the input range that `detect` has chosen, and the settings that the user gave. */
export interface NetworkChoice extends NetworkSettings {
  readonly scale: number;
  readonly inputRange: number;
}

/**
 * An assumption about a recognised network, as human-readable text. If the user can set an option
 * instead, `settledBy` is the name of that option.
 */
export type Assumption = string | readonly [text: string, settledBy: keyof NetworkSettings];

/** What a matcher has recognised in the outline of a weight file. */
export interface Match {
  /**
   * The scales that fit the shapes, starting with the most likely scale. If several scales fit, the
   * file's name or an option can determine the scale. If neither does, the most likely scale is
   * used. If `ask` is true, an error is thrown instead.
   */
  readonly scales: readonly number[];
  readonly ask?: boolean;
  readonly inputRange: number;
  /**
   * If set, the tensors can contain the mean that the network subtracts from its input. If they do,
   * the input range is computed from this mean (see `storedMean`).
   */
  readonly storedRange?: true;
  readonly assumptions?: readonly Assumption[];
  readonly build: (choice: NetworkChoice, tensors: TensorMap) => Network;
  /** Converts the file's tensors to those the network requires, for example by renaming them. */
  readonly prepare?: (tensors: TensorMap) => TensorMap;
}

/**
 * Recognises a network by its tensors. Returns null if they belong to a different kind of network.
 */
export type Matcher = (outline: Outline) => Match | null;

/** Returns the shape of the named tensor, or null if no tensor has this name and rank. */
export function shapeOf(outline: Outline, name: string, rank: number): readonly number[] | null {
  const shape = outline.get(name)?.shape;
  return shape?.length === rank ? shape : null;
}

/**
 * Finds all tensor names that begin with `pattern`, in which `#` stands for a number. Returns these
 * numbers in ascending order.
 */
export function indices(outline: Outline, pattern: string): number[] {
  const [before, after = ''] = pattern.split('#');
  const found = new Set<number>();
  for (const name of outline.keys()) {
    if (!name.startsWith(before)) continue;
    const digits = /^\d{1,4}/.exec(name.slice(before.length))?.[0];
    if (digits !== undefined && name.slice(before.length + digits.length).startsWith(after)) {
      found.add(Number(digits));
    }
  }
  return [...found].sort((a, b) => a - b);
}

/**
 * Counts the blocks that are numbered consecutively, starting with `first`. Blocks after a gap are
 * not counted.
 */
export function countBlocks(outline: Outline, pattern: string, first = 0): number {
  const found = indices(outline, pattern).filter((index) => index >= first);
  const gap = found.findIndex((index, i) => index !== first + i);
  return gap < 0 ? found.length : gap;
}

/**
 * Finds the scale and the number of output channels of a pixel shuffle that has `rows` input
 * channels. Tries `channels`, 3, 4 and 1 as the number of output channels, until `rows` divided by
 * that number is a perfect square. The square root of the quotient is the scale.
 */
export function shuffled(
  rows: number,
  channels: number,
): { scale: number; outputChannels: number } | null {
  for (const candidate of [channels, 3, 4, 1]) {
    const scale = Math.sqrt(rows / candidate);
    if (Number.isInteger(scale) && scale >= 1) return { scale, outputChannels: candidate };
  }
  return null;
}

/**
 * Returns the product of the factors of all upsampling stages. The convolution of each stage has
 * `factor^2` times as many output channels as input channels.
 */
export function shuffleScale(outline: Outline, prefix: string): number | null {
  const stages = indices(outline, `${prefix}#.weight`).map((index) => {
    const shape = shapeOf(outline, `${prefix}${index}.weight`, 4);
    return shape ? Math.sqrt(shape[0] / shape[1]) : Number.NaN;
  });
  const scale = stages.reduce((product, factor) => product * factor, 1);
  return stages.length > 0 && Number.isInteger(scale) ? scale : null;
}

/** Renames tensors. Omits tensors for which `rename` returns null. */
export function renamed<T>(
  tensors: ReadonlyMap<string, T>,
  rename: (name: string) => string | null,
): ReadonlyMap<string, T> {
  const result = new Map<string, T>();
  for (const [name, tensor] of tensors) {
    const other = rename(name);
    if (other !== null) result.set(other, tensor);
  }
  return result;
}

/** Returns the scales that fit the upsampler in a PAN or A2N file (see `parts/upsampler.ts`). */
export function upsamplerScales(outline: Outline): { scales: readonly number[]; ask: boolean } {
  return outline.has('upconv2.weight')
    ? { scales: [4], ask: false }
    : { scales: [2, 3], ask: true };
}
