import { CrispenError } from '../errors.ts';
import {
  checkFields,
  checkValue,
  choice,
  flag,
  inputRange,
  number,
  type Rules,
  whole,
} from '../options.ts';
import { type A2NConfig, a2n } from './a2n.ts';
import { edsrAcla } from './acla.ts';
import { compact } from './compact.ts';
import { edsr } from './edsr.ts';
import { lcoan } from './lcoan.ts';
import type { CompactActivation } from './match.ts';
import type { Network } from './network.ts';
import { type PanConfig, pan } from './pan.ts';
import { rrdb } from './rrdb.ts';
import { span } from './span.ts';

export {
  type Detection,
  type DetectOptions,
  detect,
  identify,
  recognise,
  type ScaleSource,
} from './detect.ts';
export type { Network } from './network.ts';

/** Sizes that a network definition may need beside its scale; each family ignores what it has not. */
export interface NetworkConfig {
  readonly scale: number;
  readonly features?: number;
  readonly upsamplerFeatures?: number;
  readonly blocks?: number;
  readonly reduction?: number;
  readonly channels?: number;
  readonly growth?: number;
  readonly unshuffle?: number;
  readonly plus?: boolean;
  readonly residualScale?: number;
  readonly activation?: CompactActivation;
  readonly inputRange?: number;
}

const count = whole(1, 2 ** 16);
const RULES: Rules<NetworkConfig> = {
  scale: whole(1, 8),
  ...{ features: count, upsamplerFeatures: count, blocks: whole(0, 2 ** 16) },
  ...{ channels: count, growth: count, unshuffle: count },
  plus: flag,
  reduction: number({ above: 0, max: 2 ** 16 }),
  residualScale: number({ min: -(2 ** 16), max: 2 ** 16 }),
  activation: choice<CompactActivation>(['prelu', 'relu', 'leakyrelu']),
  inputRange,
};

type Builder = (config: NetworkConfig) => Network;

/** A2N's and PAN's upsampler exists for three scales. */
function upsampled(scale: number): 2 | 3 | 4 {
  if (scale === 2 || scale === 3 || scale === 4) return scale;
  throw new CrispenError('MODEL_UNSUPPORTED', `There is no x${scale} upsampler.`, {
    hint: 'Choose scale 2, 3 or 4.',
  });
}

const a2nBuilder =
  (variant: 'a2n' | 'a2nm'): Builder =>
  (config) =>
    a2n({
      ...config,
      scale: config.scale === 1 ? 1 : upsampled(config.scale),
      variant,
    } satisfies A2NConfig);

const BUILDERS: Readonly<Record<string, Builder>> = {
  a2n: a2nBuilder('a2n'),
  a2nm: a2nBuilder('a2nm'),
  pan: (config) => pan({ ...config, scale: upsampled(config.scale) } satisfies PanConfig),
  compact,
  span,
  esrgan: rrdb,
  edsr,
  lcoan,
  'edsr-acla': edsrAcla,
};

/** The families that `createNetwork` knows. */
export const ARCHITECTURES: readonly string[] = Object.keys(BUILDERS);

/**
 * The network of a family at a scale.
 * @throws CrispenError `MODEL_UNSUPPORTED` for an unknown family or a scale that it lacks;
 * `INVALID_INPUT` for sizes that are none.
 */
export function createNetwork(architecture: string, config: NetworkConfig): Network {
  const builder = Object.hasOwn(BUILDERS, architecture) ? BUILDERS[architecture] : undefined;
  if (!builder) {
    throw new CrispenError('MODEL_UNSUPPORTED', `There is no network called "${architecture}".`, {
      hint: `Known networks: ${ARCHITECTURES.join(', ')}.`,
    });
  }
  checkValue('The option scale', config?.scale, RULES.scale);
  checkFields('The option', config, RULES);
  return builder(config);
}
