import {
  type ConvChoice,
  type ConvSpec,
  type ConvVariant,
  plainConv,
} from '../../kernels/conv/conv.ts';
import type { MatrixUnit } from '../../kernels/conv/convMatrix.ts';
import { type StripCut, stripConv } from '../../kernels/conv/convStrips.ts';
import type { TileColumns } from '../../kernels/kernel.ts';
import type { Fusion } from '../compile/fuse.ts';
import type { AdapterReport } from '../types.ts';

/** The kernel variants and the fusion level for an adapter. */
export interface Tuning extends Methods {
  /** The methods for f16 maps, if they differ from those for f32 maps. */
  readonly half?: Methods | undefined;
}

export interface Methods {
  readonly fuse: Fusion;
  readonly conv: ConvChoice;
  /**
   * Whether non-local and transformer ops use kernels that need subgroup quads
   * (kernels/nonlocal/nonlocalQuad.ts, kernels/transformer/merged.ts).
   */
  readonly quads: boolean;
  /**
   * The preferred maximum width, in pixels, of the tile that a workgroup computes at the fusion
   * level `blocks`. The default is 16.
   */
  readonly tileColumns?: TileColumns;
}

/**
 * A description of a kernel variant. The variant itself is loaded on demand, because most adapters
 * use only a few variants.
 */
export interface VariantInfo {
  /**
   * Whether the variant adds products in f16 and is therefore less precise than the others. The
   * precision of models in f16 was measured without such variants, so neither `npm run tune` nor
   * the option `tune: 'quick'` selects them.
   */
  readonly isRough: boolean;
  readonly offered: (adapter: Offering) => boolean;
  readonly load: (adapter: Offering) => Promise<ConvVariant>;
}

/** The properties of an adapter that determine which variants it supports. */
type Offering = Pick<AdapterReport, 'features' | 'matrix'>;

const quad = (blocks: 3 | 4 | 5): VariantInfo => ({
  isRough: false,
  offered: ({ features }) => features.includes('subgroups'),
  load: async () => (await import('../../kernels/conv/convQuad.ts')).quadConv(blocks),
});
const strips = (cut: StripCut): VariantInfo => ({
  isRough: cut.half ?? false,
  offered: ({ features }) => !cut.half || features.includes('shader-f16'),
  // Most GPUs use these variants, so their code is not in a chunk that is loaded on demand.
  load: async () => stripConv(cut),
});

/** All convolution variants. `npm run tune` measures them, and the kernel tests cover them. */
export const CONV_VARIANTS = {
  plain: {
    isRough: false,
    offered: () => true,
    load: async () => plainConv,
  },
  short: strips({ pixels: 4, blocks: 1 }),
  strips: strips({ pixels: 8, blocks: 2 }),
  uniform: strips({ pixels: 8, blocks: 2, weights: 'uniform' }),
  shared: strips({ pixels: 8, blocks: 2, weights: 'workgroup' }),
  wide: strips({ pixels: 4, blocks: 5, weights: 'workgroup' }),
  halo: strips({ pixels: 8, blocks: 2, weights: 'workgroup', halo: true }),
  // The next two variants are only for f16 maps. They add products in f16. Before a model runs with
  // one of them, the precision of its results must be measured with that variant.
  half: strips({ pixels: 8, blocks: 2, weights: 'workgroup', half: true }),
  halfUniform: strips({ pixels: 8, blocks: 2, weights: 'uniform', half: true }),
  quad3: quad(3),
  quad4: quad(4),
  quad5: quad(5),
  matrix: {
    isRough: false,
    offered: ({ matrix }) => matrix !== undefined,
    load: async ({ matrix }) =>
      (await import('../../kernels/conv/convMatrix.ts')).matrixConv(matrix as MatrixUnit),
  },
} as const satisfies Readonly<Record<string, VariantInfo>>;

export type VariantName = keyof typeof CONV_VARIANTS;

export const VARIANT_NAMES = Object.keys(CONV_VARIANTS) as VariantName[];

/**
 * The methods for convolutions of feature maps. `quad` chooses the number of blocks per invocation
 * for each layer, while `quad3`, `quad4` and `quad5` use the given number.
 */
export type ConvMethod = VariantName | 'quad';

/** A tuning as plain data. */
export interface Choice extends MethodChoice {
  /**
   * The choice of methods for f16 feature maps. If it is absent or needs a feature that the adapter
   * lacks, the choice for f32 maps is used.
   */
  readonly half?: MethodChoice | undefined;
}

export interface MethodChoice {
  readonly fuse: Fusion;
  /**
   * The method for convolutions. If the device lacks a feature that this method needs, `FALLBACK`
   * is used instead, or `plain` if the method is `quad`, `quad3`, `quad4` or `quad5`.
   */
  readonly conv: ConvMethod;
  readonly tileColumns: TileColumns;
}

export interface Family extends Choice {
  readonly family: string;
  /**
   * This expression is matched against the adapter's vendor, architecture, device and description.
   */
  readonly matches: RegExp;
}

/**
 * The kernel variants and the fusion level for each family of adapters. The first match wins.
 * `npm run tune` measures an adapter and prints a line for this table. Two adapters were measured:
 * SwiftShader, and an NVIDIA H200 with earlier versions of the kernels (BENCHMARKS.md). On the
 * H200, the fusion level `blocks` moved a third as many bytes as `ops` but was no faster, so no
 * family uses `blocks`. The choices for the other families are based on known properties of their
 * hardware. The option `tune: 'quick'` measures the convolution variants on the user's adapter.
 */
export const FAMILIES: readonly Family[] = [
  { family: 'swiftshader', matches: /swiftshader/i, fuse: 'ops', conv: 'quad', tileColumns: 8 },
  {
    // On software adapters, workgroup memory is no faster than other memory, and large kernels take
    // a long time to compile.
    family: 'software',
    matches: /llvmpipe|lavapipe|basic render|warp/i,
    fuse: 'ops',
    conv: 'plain',
    tileColumns: 8,
  },
  {
    // On the H200, loads from memory were the bottleneck. If the weights are in workgroup memory, a
    // single load provides a weight to a whole subgroup.
    family: 'nvidia',
    matches: /nvidia|geforce/i,
    fuse: 'ops',
    conv: 'shared',
    tileColumns: 16,
    half: { fuse: 'ops', conv: 'matrix', tileColumns: 16 },
  },
  // These GPUs read weights in a uniform buffer through the scalar cache.
  { family: 'amd', matches: /\bamd\b|radeon|rdna/i, fuse: 'ops', conv: 'uniform', tileColumns: 16 },
  { family: 'apple', matches: /apple/i, fuse: 'ops', conv: 'shared', tileColumns: 8 },
  { family: 'intel', matches: /intel/i, fuse: 'ops', conv: 'shared', tileColumns: 16 },
  // These GPUs have few registers. With `short`, each invocation computes only 4 pixels.
  { family: 'qualcomm', matches: /qualcomm|adreno/i, fuse: 'ops', conv: 'short', tileColumns: 8 },
  // These GPUs have few registers, too. Their workgroup memory is ordinary cached memory, so
  // reading weights from it would be no faster.
  {
    family: 'arm',
    matches: /\barm\b|mali|immortalis/i,
    fuse: 'ops',
    conv: 'short',
    tileColumns: 8,
  },
  { family: 'default', matches: /(?:)/, fuse: 'ops', conv: 'strips', tileColumns: 16 },
];

/**
 * The variant for layers that the chosen variant does not support, and for adapters that lack a
 * feature that the chosen variant needs. The quad variants fall back to `plain` instead.
 */
const FALLBACK = 'strips';

export function familyOf(adapter: AdapterReport): Family {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter;
  const name = [vendor, architecture, device, description].join(' ');
  const found = FAMILIES.find(({ matches }) => matches.test(name)) as Family;
  // A browser might hide a software adapter's name, but it still reports that the adapter is a
  // fallback.
  return isFallbackAdapter && !isSoftware(found) ? FAMILIES[1] : found;
}

const isSoftware = (family: Family): boolean => FAMILIES.indexOf(family) < 2;

export const tuningFor = (adapter: AdapterReport): Promise<Tuning> =>
  tuningOf(familyOf(adapter), adapter);

/**
 * Loads the kernel variants that a `Choice` names, or fallbacks that the adapter supports. Rarely
 * used kernels are loaded lazily.
 */
export async function tuningOf({ half, ...own }: Choice, adapter: Offering): Promise<Tuning> {
  const methods = await methodsOf(own, adapter);
  if (half && variantOf(half.conv).offered(adapter)) {
    return { ...methods, half: await methodsOf(half, adapter) };
  }
  // If `half` is absent or the adapter does not support it, f16 maps use the methods for f32 maps.
  // Convolution variants that do not support f16 are then replaced by `plainConv`.
  return methods;
}

/** Returns the variant whose requirements are those of the method. */
export const variantOf = (method: ConvMethod): VariantInfo =>
  CONV_VARIANTS[method === 'quad' ? 'quad5' : method];

/** Loads the variants of a single method. The returned function chooses one for a layer. */
export const convFor = async (method: ConvMethod, adapter: Offering): Promise<ConvChoice> =>
  (await methodsOf({ fuse: 'ops', conv: method, tileColumns: 8 }, adapter)).conv;

async function methodsOf(choice: MethodChoice, adapter: Offering): Promise<Methods> {
  const { fuse, conv: method, tileColumns } = choice;
  const { offered, load } = variantOf(method);
  const isByRows = method === 'plain' || method.startsWith('quad');
  const fallback = isByRows ? plainConv : await CONV_VARIANTS[FALLBACK].load(adapter);
  if (!offered(adapter)) return { fuse, tileColumns, conv: () => fallback, quads: false };
  const byLayer = async () => (await import('../../kernels/conv/convQuad.ts')).quadConv(null);
  const variant = await (method === 'quad' ? byLayer() : load(adapter));
  const conv = (spec: ConvSpec) => (variant.takes?.(spec) === false ? fallback : variant);
  return { fuse, tileColumns, conv, quads: method.startsWith('quad') };
}
