import type { Gate, OffsetLayout } from '../graph/nonlocalOp.ts';
import type { CompactActivation } from '../networks/match.ts';
import type { NetworkWish } from '../node/model.ts';
import { choice, positiveInteger, positiveNumber, type ValuesOf } from './command.ts';

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

/**
 * Parses the options that describe a weight file's network.
 * @throws UsageError for invalid values.
 */
export function networkOf(values: ValuesOf<typeof NETWORK_OPTIONS>): NetworkWish {
  return {
    inputRange: positiveNumber('--input-range', values['input-range']),
    activation: choice('--activation', values.activation, ACTIVATIONS),
    residualScale: positiveNumber('--residual-scale', values['residual-scale']),
    imageRange: positiveNumber('--image-range', values['image-range']),
    window: positiveInteger('--window', values.window),
    offsets: choice('--offsets', values.offsets, OFFSETS),
    gate: choice('--gate', values.gate, GATES),
    depthwise: values.depthwise,
  };
}
