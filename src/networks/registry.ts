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
import { type A2NConfig, a2n, matchA2N } from './a2n.ts';
import { type EdsrAclaConfig, edsrAcla, matchEdsrAcla } from './acla.ts';
import { type AsidConfig, asid, matchAsid } from './asid.ts';
import { type CompactConfig, compact, matchCompact } from './compact.ts';
import { type DatConfig, dat, matchDat } from './dat.ts';
import { type DlsnConfig, dlsn, matchDlsn } from './dlsn.ts';
import { type EdsrConfig, edsr, matchEdsr } from './edsr.ts';
import { type LcoanConfig, lcoan, matchLcoan } from './lcoan.ts';
import type { Matcher } from './match.ts';
import { type MosrConfig, matchMosr, mosr } from './mosr.ts';
import type { Network } from './network.ts';
import { matchOmniSr, type OmniSrConfig, omnisr } from './omnisr.ts';
import { matchPan, type PanConfig, pan } from './pan.ts';
import { matchPlksr, type PlksrConfig, plksr } from './plksr.ts';
import { matchRcan, type RcanConfig, rcan } from './rcan.ts';
import { type CuganConfig, matchCugan, realcugan } from './realcugan.ts';
import { matchRrdb, type RrdbConfig, rrdb } from './rrdb.ts';
import { matchSpan, type SpanConfig, span } from './span.ts';
import { matchSrformer, matchSwinir, type SwinConfig, srformer, swinir } from './swinir.ts';

/**
 * The configuration of each family, by the family's id. Only the scale is required. The defaults of
 * all other fields are the published values.
 */
export interface NetworkConfigs {
  readonly a2n: Omit<A2NConfig, 'variant'>;
  readonly a2nm: Omit<A2NConfig, 'variant'>;
  readonly pan: PanConfig;
  readonly span: SpanConfig;
  readonly esrgan: RrdbConfig;
  readonly lcoan: LcoanConfig;
  readonly 'edsr-acla': EdsrAclaConfig;
  readonly edsr: EdsrConfig;
  readonly compact: CompactConfig;
  readonly asid: AsidConfig;
  readonly dlsn: DlsnConfig;
  readonly omnisr: OmniSrConfig;
  readonly dat: DatConfig;
  readonly swinir: SwinConfig;
  readonly srformer: SwinConfig;
  readonly mosr: MosrConfig;
  readonly rcan: RcanConfig;
  readonly realcugan: CuganConfig;
  readonly realplksr: PlksrConfig;
  readonly plksr: PlksrConfig;
}

export type Architecture = keyof NetworkConfigs;

const count = whole(1, 2 ** 16);
/**
 * The configuration fields that `createNetwork` checks. `RULES` has one rule for each field. The
 * rule applies to all families that have the field.
 */
type CheckedSizes = Omit<A2NConfig, 'variant'> &
  Pick<RrdbConfig, 'growth' | 'unshuffle' | 'plus'> &
  Pick<EdsrConfig, 'residualScale'> &
  Pick<CompactConfig, 'activation'>;

const RULES: Rules<CheckedSizes> = {
  scale: whole(1, 8),
  features: count,
  upsamplerFeatures: count,
  blocks: whole(0, 2 ** 16),
  channels: count,
  growth: count,
  unshuffle: count,
  plus: flag,
  reduction: number({ above: 0, max: 2 ** 16 }),
  residualScale: number({ min: -(2 ** 16), max: 2 ** 16 }),
  activation: choice<NonNullable<CompactConfig['activation']>>(['prelu', 'relu', 'leakyrelu']),
  inputRange,
};

interface Family<Config> {
  /** The name that is shown to users. */
  readonly title: string;
  readonly build: (config: Config) => Network;
  readonly match: Matcher;
}

/**
 * The families of networks. Their matchers run in this order. LCoAN, DLSN and EDSR cannot be told
 * apart by the tensor names in their heads and tails, so their matchers also look for tensors in
 * the body.
 */
export const FAMILIES: { readonly [K in Architecture]: Family<NetworkConfigs[K]> } = {
  a2n: {
    title: 'A2N',
    build: (config) => a2n({ ...config, variant: 'a2n' }),
    match: matchA2N('a2n'),
  },
  a2nm: {
    title: 'A2N-M',
    build: (config) => a2n({ ...config, variant: 'a2nm' }),
    match: matchA2N('a2nm'),
  },
  pan: { title: 'PAN', build: pan, match: matchPan },
  span: { title: 'SPAN', build: span, match: matchSpan },
  esrgan: { title: 'ESRGAN (RRDBNet)', build: rrdb, match: matchRrdb },
  lcoan: { title: 'LCoAN', build: lcoan, match: matchLcoan },
  'edsr-acla': { title: 'EDSR with ACLA', build: edsrAcla, match: matchEdsrAcla },
  dlsn: { title: 'DLSN', build: dlsn, match: matchDlsn },
  edsr: { title: 'EDSR', build: edsr, match: matchEdsr },
  compact: { title: 'Compact', build: compact, match: matchCompact },
  asid: { title: 'ASID', build: asid, match: matchAsid },
  omnisr: { title: 'OmniSR', build: omnisr, match: matchOmniSr },
  dat: { title: 'DAT', build: dat, match: matchDat },
  swinir: { title: 'SwinIR', build: swinir, match: matchSwinir },
  srformer: { title: 'SRFormer', build: srformer, match: matchSrformer },
  mosr: { title: 'MoSR', build: mosr, match: matchMosr },
  rcan: { title: 'RCAN', build: rcan, match: matchRcan },
  realcugan: { title: 'Real-CUGAN', build: realcugan, match: matchCugan },
  realplksr: { title: 'RealPLKSR', build: plksr, match: matchPlksr(true) },
  plksr: {
    title: 'PLKSR',
    build: (config) => plksr({ mixer: [3, 1], ...config, norm: 'none' }),
    match: matchPlksr(false),
  },
};

export const isArchitecture = (name: string): name is Architecture => Object.hasOwn(FAMILIES, name);

/**
 * Builds a network of the given family from its configuration, which contains the scale.
 * @throws CrispenError `MODEL_UNSUPPORTED` for an unknown family or for a scale that the family
 *   does not support; `INVALID_INPUT` for other invalid values in the configuration.
 */
export function createNetwork<K extends Architecture>(
  architecture: K,
  config: NetworkConfigs[K],
): Network {
  if (!isArchitecture(architecture)) {
    throw new CrispenError('MODEL_UNSUPPORTED', `There is no network called "${architecture}".`, {
      hint: `Known networks: ${Object.keys(FAMILIES).join(', ')}.`,
    });
  }
  checkValue('The option scale', config?.scale, RULES.scale);
  checkFields('The option', config as CheckedSizes, RULES);
  return FAMILIES[architecture].build(config);
}
