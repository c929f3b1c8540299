import { CrispenError } from '../errors.ts';
import { GraphError } from '../graph/shape.ts';
import {
  checkFields,
  checkValue,
  inputRange,
  type Rules,
  shaped,
  text,
  whole,
} from '../options.ts';
import type { TensorMap } from '../weights/tensor.ts';
import type { Match, NetworkChoice, NetworkSettings, Outline } from './match.ts';
import type { Network } from './network.ts';
import { storedMean } from './parts/mean.ts';
import { FAMILIES } from './registry.ts';

/**
 * The source of the scale. `default` means that nothing determined the scale, so the most likely
 * scale was used.
 */
export type ScaleSource = 'shapes' | 'name' | 'option' | 'default';

export interface DetectOptions extends NetworkSettings {
  readonly scale?: number | undefined;
  /** The name of the weight file. Often, only this name distinguishes x2 from x3. */
  readonly name?: string | undefined;
  /**
   * The scale to use if it is not determined by the tensors' shapes, the option `scale` or the
   * file's name. If this scale is used, `scaleSource` is `default`.
   */
  readonly likelyScale?: number | undefined;
}

/** The network that a weight file contains, with its weights. */
export interface Detection {
  readonly architecture: string;
  readonly scale: number;
  readonly scaleSource: ScaleSource;
  readonly inputRange: number;
  readonly inputRangeSource: 'network' | 'weights' | 'option';
  /**
   * Short descriptions of the settings that Crispen assumes because neither the file nor an option
   * determines them. For example, "the range is 255 inside" means that the network converts its
   * input to the range 0 to 255.
   */
  readonly assumptions: readonly string[];
  readonly network: Network;
  /**
   * The tensors, named like the network's layers. They can differ from those in the file, because
   * some networks combine several of the file's layers into one.
   */
  readonly weights: TensorMap;
}

const OPTIONS: Rules<Pick<DetectOptions, 'scale' | 'likelyScale' | 'name' | 'inputRange'>> = {
  scale: whole(1),
  likelyScale: whole(1),
  name: text('the name of the file'),
  inputRange,
};
const OBJECT = shaped('options', 'an object, or nothing', {});
const TENSORS = shaped('tensors', 'a map of tensors by name, such as readWeights gives', {
  get: 'function',
  has: 'function',
  keys: 'function',
});

/**
 * Known networks that Crispen does not run. Each entry contains a pattern that matches the name of
 * one of the network's tensors. If that name alone does not identify the network, the entry also
 * contains the tensor's second dimension.
 */
const OTHERS: readonly (readonly [string, RegExp, number?])[] = [
  ['ASID without position tables', /^block0\.residual_layer\.0\.SLA1\./],
  ['SPANPlus', /^feats\.\d/],
  ['HAT', /\.overlap_attn\./],
  ['Swin2SR', /\.attn\.logit_scale$/],
  ['a relative of SwinIR', /^layers\.0\.residual_group\.blocks\.0\.attn\./],
  ['RGT', /^layers\.0\.blocks\.0\.gamma$/],
  ['DAT without the offsets of its windows', /^layers\.0\.blocks\.0\.attn\.attns\./],
  ['a relative of OmniSR', /^residual_layer\.0\./],
  ['SAFMN', /^feats\.0\.safm\./],
  ['the fast x2 variant of Real-CUGAN', /^unet1\.conv1\.conv\.0\.weight$/, 12],
  ['a relative of Real-CUGAN', /^unet[12]\.conv_bottom\.weight$/],
];

/** Returns true if the tensors belong to a network that Crispen runs. */
export const recognise = (outline: Outline): boolean => identify(outline) !== null;

/**
 * Returns the architecture of a weight file, or null if no network is recognised. In that case,
 * `detect` throws an error that gives the reason.
 */
export const identify = (outline: Outline): string | null =>
  firstMatch(outline)?.architecture ?? null;

/**
 * Recognises the network in a weight file. The tensors' names and shapes determine the architecture
 * and its sizes. The scale comes from the shapes, from `options.scale` or from the file's name. The
 * input range comes from `options.inputRange` or from the weights, or it is the architecture's
 * usual value.
 *
 * @throws CrispenError `MODEL_UNSUPPORTED` for unknown networks, for an undetermined scale and for
 *   a scale that the file cannot have; `INVALID_INPUT` for invalid options.
 */
export function detect(tensors: TensorMap, options: DetectOptions = {}): Detection {
  checkFields('The option', checkValue('The options', options, OBJECT), OPTIONS);
  const match = firstMatch(checkValue('What holds the tensors', tensors, TENSORS));
  if (match === null) throw unknown(tensors);
  const { scale, scaleSource } = chooseScale(match, options);
  const stored = match.storedRange ? storedMean(tensors)?.range : undefined;
  // The range can be computed from the weights, so it can be invalid even if the options are valid.
  const range = options.inputRange ?? stored ?? match.inputRange;
  checkValue('The input range', range, inputRange);
  const network = build(match, { ...options, scale, inputRange: range }, tensors);
  checkChannels(network);
  return {
    architecture: match.architecture,
    scale,
    scaleSource,
    inputRange: range,
    network,
    inputRangeSource:
      options.inputRange !== undefined ? 'option' : stored !== undefined ? 'weights' : 'network',
    assumptions: (match.assumptions ?? []).flatMap((assumption) => {
      if (typeof assumption === 'string') return [assumption];
      const [text, settledBy] = assumption;
      return options[settledBy] === undefined ? [text] : [];
    }),
    weights: match.prepare?.(tensors) ?? tensors,
  };
}

/**
 * Builds the network. Throws an error if the layers have the right names but do not fit together.
 */
function build(match: Found, choice: NetworkChoice, tensors: TensorMap): Network {
  try {
    return match.build(choice, tensors);
  } catch (cause) {
    if (!(cause instanceof GraphError)) throw cause;
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `The layers of this ${match.architecture} network do not fit together: ${cause.message}.`,
      { hint: 'The file may be of a changed network, or damaged.', cause },
    );
  }
}

interface Found extends Match {
  /** The family's id in `registry.ts`. */
  readonly architecture: string;
}

function firstMatch(outline: Outline): Found | null {
  for (const [architecture, family] of Object.entries(FAMILIES)) {
    const match = family.match(outline);
    if (match) return { ...match, architecture };
  }
  return null;
}

function chooseScale(
  { architecture, scales, ask = false }: Found,
  { scale, name, likelyScale }: DetectOptions,
): { scale: number; scaleSource: ScaleSource } {
  if (scale !== undefined && !scales.includes(scale)) {
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `The file is an ${architecture} network that enlarges by ${scales.join(' or ')}, not by ${scale}.`,
      { hint: `Leave the scale out, or choose ${scales.join(' or ')}.` },
    );
  }
  if (scales.length === 1) {
    const [only] = scales;
    if (!Number.isInteger(only) || only < 1 || only > 8) {
      throw new CrispenError('MODEL_UNSUPPORTED', `The file enlarges by ${only}.`, {
        hint: 'Crispen runs networks that enlarge by whole numbers from 1 to 8.',
      });
    }
    return { scale: only, scaleSource: 'shapes' };
  }
  if (scale !== undefined) return { scale, scaleSource: 'option' };
  const named = scaleInName(name ?? '').filter((candidate) => scales.includes(candidate));
  if (named.length === 1) return { scale: named[0], scaleSource: 'name' };
  if (likelyScale !== undefined && scales.includes(likelyScale)) {
    return { scale: likelyScale, scaleSource: 'default' };
  }
  if (!ask) return { scale: scales[0], scaleSource: 'default' };
  const list = scales.map((candidate) => `x${candidate}`).join(' and ');
  throw new CrispenError(
    'MODEL_UNSUPPORTED',
    `The weights of this ${architecture} network look the same at ${list}${name ? `, and the name ${name} does not say which it is` : ''}.`,
    {
      hint: `Give the scale (--scale ${scales[0]}), or use a file name such as model-x${scales[0]}.`,
    },
  );
}

/** Returns the scales that a name contains, such as 4 in `model-x4` or `4x-model`. */
export function scaleInName(name: string): number[] {
  const found = new Set<number>();
  for (const [, after, before] of name.matchAll(/x([1-8])(?!\d|x\d)|(?<!\d)([1-8])x(?!\d)/gi)) {
    found.add(Number(after ?? before));
  }
  return [...found];
}

function checkChannels({ graph, architecture }: Network): void {
  const input = graph.nodes.find(({ op }) => op === 'input')?.shape;
  const output = graph.nodes[graph.output].shape;
  for (const [shape, does] of [
    [input, 'takes'],
    [output, 'gives'],
  ] as const) {
    if (shape?.kind === 'map' && (shape.channels === 1 || shape.channels === 3)) continue;
    const channels = shape?.kind === 'map' ? shape.channels : 0;
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `The file is an ${architecture} network that ${does} ${channels} channels.`,
      { hint: 'Crispen runs RGB networks (3 channels) and luma networks (1 channel).' },
    );
  }
}

function unknown(outline: Outline): CrispenError {
  const names = [...outline.keys()];
  const other = OTHERS.find(([, mark, columns]) =>
    names.some(
      (name) =>
        mark.test(name) && (columns === undefined || outline.get(name)?.shape[1] === columns),
    ),
  )?.[0];
  const shown = names.slice(0, 4).map((name) => {
    const text = JSON.stringify(name).slice(1, -1);
    return text.length > 60 ? `${text.slice(0, 57)}...` : text;
  });
  const titles = Object.values(FAMILIES).map(({ title }) => title);
  const count = names.length === 1 ? '1 tensor' : `${names.length} tensors`;
  const found = `${count}: ${shown.join(', ')}${names.length > 4 ? ', ...' : ''}`;
  return new CrispenError(
    'MODEL_UNSUPPORTED',
    other
      ? `The file looks like ${other}, which Crispen does not run (${found}).`
      : `Crispen does not know the network of this file (${found}).`,
    {
      hint: `Crispen runs ${titles.slice(0, -1).join(', ')} and ${titles.at(-1)}.`,
    },
  );
}
