import { CrispenError } from '../errors.ts';
import { type A2NConfig, a2n } from './a2n.ts';
import type { Network } from './network.ts';

export type { Network } from './network.ts';

/** Sizes that a network definition may need beside its scale; each family ignores what it has not. */
export interface NetworkConfig {
  readonly scale: number;
  readonly features?: number;
  readonly upsamplerFeatures?: number;
  readonly blocks?: number;
  readonly reduction?: number;
  readonly inputRange?: number;
}

type Builder = (config: NetworkConfig) => Network;

const a2nBuilder =
  (variant: 'a2n' | 'a2nm'): Builder =>
  (config) => {
    if (config.scale !== 2 && config.scale !== 3 && config.scale !== 4) {
      throw new CrispenError('MODEL_UNSUPPORTED', `A2N has no x${config.scale} upsampler.`, {
        hint: 'Choose scale 2, 3 or 4.',
      });
    }
    return a2n({ ...config, scale: config.scale, variant } satisfies A2NConfig);
  };

const BUILDERS: Readonly<Record<string, Builder>> = {
  a2n: a2nBuilder('a2n'),
  a2nm: a2nBuilder('a2nm'),
};

/** The families that `createNetwork` knows. */
export const ARCHITECTURES: readonly string[] = Object.keys(BUILDERS);

/**
 * The network of a family at a scale.
 * @throws CrispenError `MODEL_UNSUPPORTED` for an unknown family or a scale that it lacks.
 */
export function createNetwork(architecture: string, config: NetworkConfig): Network {
  const builder = Object.hasOwn(BUILDERS, architecture) ? BUILDERS[architecture] : undefined;
  if (!builder) {
    throw new CrispenError('MODEL_UNSUPPORTED', `There is no network called "${architecture}".`, {
      hint: `Known networks: ${ARCHITECTURES.join(', ')}.`,
    });
  }
  return builder(config);
}
