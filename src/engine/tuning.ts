import { type ConvChoice, plainConv } from '../kernels/conv.ts';
import type { Fusion } from './lower.ts';
import type { AdapterReport } from './types.ts';

/** Which variants of kernels an adapter runs, and how far ops are fused for it. */
export interface Tuning {
  readonly fuse: Fusion;
  readonly conv: ConvChoice;
  /** Whether products of rows are shared by quads too (kernels/nonlocalQuad.ts). */
  readonly quads: boolean;
}

/** Ways to compute convolutions of plain maps; `quad` takes `quad3` or `quad5` layer by layer. */
export type ConvMethod = 'plain' | 'quad3' | 'quad5' | 'quad';

/** A kernel's variant, as data. */
export interface VariantInfo {
  /** Pixels of a row and blocks of output channels per invocation of a 3x3 convolution. */
  readonly pixels: number;
  readonly blocks: number;
  /** Who loads a matrix of weights: every invocation, or four of them together. */
  readonly weights: 'invocation' | 'quad';
  readonly workgroup: readonly [number, number, number];
  readonly needs: GPUFeatureName | null;
}

export const CONV_VARIANTS: Readonly<Record<Exclude<ConvMethod, 'quad'>, VariantInfo>> = {
  plain: { pixels: 8, blocks: 1, weights: 'invocation', workgroup: [4, 16, 1], needs: null },
  quad3: { pixels: 8, blocks: 3, weights: 'quad', workgroup: [4, 16, 1], needs: 'subgroups' },
  quad5: { pixels: 8, blocks: 5, weights: 'quad', workgroup: [4, 16, 1], needs: 'subgroups' },
};

export interface Choice {
  readonly family: string;
  /** Of vendor, architecture, device and description. */
  readonly matches: RegExp;
  readonly fuse: Fusion;
  /** `quad` needs `subgroups`; without them it is `plain`. */
  readonly conv: ConvMethod;
}

/**
 * What each family of adapters runs, the first match counts. `npm run tune` measures the adapter at
 * hand and prints its line. Real GPUs share the last line until someone has measured theirs: figures
 * of one family say little about another.
 */
export const FAMILIES: readonly Choice[] = [
  { family: 'swiftshader', matches: /swiftshader/i, fuse: 'ops', conv: 'quad' },
  {
    family: 'software',
    matches: /llvmpipe|lavapipe|basic render|warp/i,
    fuse: 'ops',
    conv: 'plain',
  },
  { family: 'default', matches: /(?:)/, fuse: 'blocks', conv: 'plain' },
];

export function familyOf(adapter: AdapterReport): Choice {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter;
  const name = [vendor, architecture, device, description].join(' ');
  const found = FAMILIES.find(({ matches }) => matches.test(name)) as Choice;
  // A browser may hide the name of a software adapter, but not that it is one.
  return isFallbackAdapter && found.fuse === 'blocks' ? FAMILIES[1] : found;
}

export const tuningFor = (adapter: AdapterReport): Promise<Tuning> =>
  tuningOf(familyOf(adapter), adapter);

/** A tuning from its description; kernels that few adapters use are loaded when they are chosen. */
export async function tuningOf(
  { fuse, conv }: Pick<Choice, 'fuse' | 'conv'>,
  { features }: AdapterReport,
): Promise<Tuning> {
  if (conv === 'plain' || !features.includes('subgroups'))
    return { fuse, conv: () => plainConv, quads: false };
  const { isQuadSpec, quadBlocks, quadConv } = await import('../kernels/convQuad.ts');
  return {
    ...{ fuse, quads: true },
    conv: (spec) => {
      if (!isQuadSpec(spec)) return plainConv;
      return quadConv(conv === 'quad3' ? 3 : conv === 'quad5' ? 5 : quadBlocks(spec));
    },
  };
}
