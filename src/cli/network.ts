import type { Gate, OffsetLayout } from '../graph/nonlocalOp.ts';
import type { CompactActivation } from '../networks/match.ts';
import type { NetworkWish } from '../node/model.ts';
import { choice, positiveInteger, positiveNumber } from './command.ts';

/** The `parseArgs` options that `networkOf` reads. */
export const NETWORK_OPTIONS = {
  'input-range': { type: 'string' },
  activation: { type: 'string' },
  'residual-scale': { type: 'string' },
  'image-range': { type: 'string' },
  window: { type: 'string' },
  offsets: { type: 'string' },
  gate: { type: 'string' },
  depthwise: { type: 'boolean' },
} as const;

export const NETWORK_USAGE = `\
  --input-range N  the largest value of the network's input, if it is not the usual 1 or 255
  --activation NAME
                   for a Compact network without slopes in its file: leakyrelu (default) or relu
  --residual-scale N, --image-range N, --window N, --offsets NAME, --gate NAME, --depthwise
                   other values that weight files of EDSR, SPAN, LCoAN and ACLA do not contain.
                   Each run, and "inspect", lists what Crispen assumes`;

const ACTIVATIONS: readonly CompactActivation[] = ['leakyrelu', 'relu'];
const OFFSETS: readonly OffsetLayout[] = ['paired', 'released'];
const GATES: readonly Gate[] = ['exclude', 'zero', 'soft', 'columns'];

type Values = {
  readonly [name in keyof typeof NETWORK_OPTIONS]?:
    | ((typeof NETWORK_OPTIONS)[name]['type'] extends 'boolean' ? boolean : string)
    | undefined;
};

/**
 * Parses the options that describe a weight file's network.
 * @throws UsageError for invalid values.
 */
export function networkOf(values: Values): NetworkWish {
  const given = <T>(name: keyof Values, read: (option: string, value: string) => T) => {
    const value = values[name];
    return value === undefined ? undefined : read(`--${name}`, String(value));
  };
  const oneOf =
    <T extends string>(choices: readonly T[]) =>
    (option: string, value: string) =>
      choice(option, value, choices);
  return {
    inputRange: given('input-range', positiveNumber),
    activation: given('activation', oneOf(ACTIVATIONS)),
    residualScale: given('residual-scale', positiveNumber),
    imageRange: given('image-range', positiveNumber),
    window: given('window', positiveInteger),
    offsets: given('offsets', oneOf(OFFSETS)),
    gate: given('gate', oneOf(GATES)),
    depthwise: values.depthwise,
  };
}
