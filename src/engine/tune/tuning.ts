import {
  type ConvChoice,
  type ConvSpec,
  type ConvVariant,
  plainConv,
} from '../../kernels/conv/conv.ts';
import type { MatrixUnit } from '../../kernels/conv/convMatrix.ts';
import type { Lanes } from '../../kernels/kernel.ts';
import type { Fusion } from '../compile/fuse.ts';
import type { AdapterReport } from '../types.ts';

/** Which variants of kernels an adapter runs, and how far ops are fused for it. */
export interface Tuning extends Methods {
  /** For maps in f16, where these differ. */
  readonly half?: Methods | undefined;
}

export interface Methods {
  readonly fuse: Fusion;
  readonly conv: ConvChoice;
  /** Whether products of rows are shared by quads too (kernels/nonlocalQuad.ts). */
  readonly quads: boolean;
  /** Rows of the tile of fused blocks, where the device has room for as many; default 16. */
  readonly lanes?: Lanes;
}

/** A kernel's variant, as data, and how it is had: few adapters want any but the plain one. */
export interface VariantInfo {
  /** Pixels of a row and blocks of output channels per invocation of a 3x3 convolution. */
  readonly pixels: number;
  readonly blocks: number;
  /** Who loads a matrix of weights: every invocation, four of them, a subgroup or the workgroup. */
  readonly weights: 'invocation' | 'quad' | 'subgroup' | 'workgroup';
  /** 0: a subgroup. */
  readonly workgroup: readonly [number, number, number];
  readonly offered: (adapter: Offering) => boolean;
  readonly load: (adapter: Offering) => Promise<ConvVariant>;
}

/** What variants ask of an adapter. */
type Offering = Pick<AdapterReport, 'features' | 'matrix'>;

const always = () => true;
const quad = (blocks: 3 | 5): VariantInfo => ({
  ...{ pixels: 8, blocks, weights: 'quad', workgroup: [4, 16, 1] },
  offered: ({ features }) => features.includes('subgroups'),
  load: async () => (await import('../../kernels/conv/convQuad.ts')).quadConv(blocks),
});
const wide = (pixels: number, blocks: number, shared = false): VariantInfo => ({
  ...{ pixels, blocks, weights: shared ? 'workgroup' : 'invocation', workgroup: [8, 8, 1] },
  offered: always,
  load: async () =>
    (await import('../../kernels/conv/convWide.ts')).wideConv({ pixels, blocks, shared }),
});

/** All that there are: what `npm run tune` measures and the tests of kernels cover, by this list. */
export const CONV_VARIANTS = {
  plain: {
    ...{ pixels: 8, blocks: 1, weights: 'invocation', workgroup: [4, 16, 1] },
    offered: always,
    load: async () => plainConv,
  },
  small: wide(4, 1),
  wide: wide(8, 2),
  shared: wide(4, 4, true),
  quad3: quad(3),
  quad5: quad(5),
  // Of f16 maps alone.
  matrix: {
    ...{ pixels: 32, blocks: 10, weights: 'subgroup', workgroup: [0, 4, 1] },
    offered: ({ matrix }) => matrix !== undefined,
    load: async ({ matrix }) =>
      (await import('../../kernels/conv/convMatrix.ts')).matrixConv(matrix as MatrixUnit),
  },
} as const satisfies Readonly<Record<string, VariantInfo>>;

/** Ways to compute convolutions of plain maps; `quad` takes `quad3` or `quad5` layer by layer. */
export type ConvMethod = keyof typeof CONV_VARIANTS | 'quad';

/** A tuning as data. */
export interface Choice extends MethodChoice {
  /** For maps in f16, where the device has what it needs. */
  readonly half?: MethodChoice | undefined;
}

export interface MethodChoice {
  readonly fuse: Fusion;
  /** `plain` where the device has not what the variant needs. */
  readonly conv: ConvMethod;
  readonly lanes: Lanes;
}

export interface Family extends Choice {
  readonly family: string;
  /** Of vendor, architecture, device and description. */
  readonly matches: RegExp;
}

/**
 * What each family of adapters runs, the first match counts. `npm run tune` measures the adapter at
 * hand and prints its line. Only SwiftShader has been measured. The others are chosen by reasoning:
 * convolutions stay with the kernel that holds its sums in plain variables, since arrays that a driver
 * does not unroll would go to memory; tiles of 16 rows read less halo and take 20 KiB of workgroup
 * memory at 40 channels, tiles of 8 rows take 10.
 */
export const FAMILIES: readonly Family[] = [
  { family: 'swiftshader', matches: /swiftshader/i, fuse: 'ops', conv: 'quad', lanes: 8 },
  {
    // Workgroup memory is ordinary memory there, and large kernels compile for long.
    ...{ family: 'software', matches: /llvmpipe|lavapipe|basic render|warp/i },
    ...{ fuse: 'ops', conv: 'plain', lanes: 8 },
  },
  {
    // 100 KiB of workgroup memory and more per core. Units for matrices outrun the rest of it by so
    // much that moving a few more maps costs less than doing without them.
    ...{ family: 'nvidia', matches: /nvidia|geforce/i, fuse: 'blocks', conv: 'plain', lanes: 16 },
    half: { fuse: 'ops', conv: 'matrix', lanes: 16 },
  },
  // 64 KiB for two compute units.
  { family: 'amd', matches: /\bamd\b|radeon|rdna/i, fuse: 'blocks', conv: 'plain', lanes: 16 },
  // 32 KiB per core, nearly all of which one tile of 16 rows would take.
  { family: 'apple', matches: /apple/i, fuse: 'blocks', conv: 'plain', lanes: 8 },
  // 64 KiB and more per core.
  { family: 'intel', matches: /intel/i, fuse: 'blocks', conv: 'plain', lanes: 16 },
  // 32 KiB per core, shared by few waves.
  { family: 'qualcomm', matches: /qualcomm|adreno/i, fuse: 'blocks', conv: 'plain', lanes: 8 },
  // Workgroup memory is ordinary memory behind the cache, as it is in software.
  { family: 'arm', matches: /\barm\b|mali|immortalis/i, fuse: 'ops', conv: 'plain', lanes: 8 },
  { family: 'default', matches: /(?:)/, fuse: 'blocks', conv: 'plain', lanes: 16 },
];

export function familyOf(adapter: AdapterReport): Family {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter;
  const name = [vendor, architecture, device, description].join(' ');
  const found = FAMILIES.find(({ matches }) => matches.test(name)) as Family;
  // A browser may hide the name of a software adapter, but not that it is one.
  return isFallbackAdapter && found.fuse === 'blocks' ? FAMILIES[1] : found;
}

export const tuningFor = (adapter: AdapterReport): Promise<Tuning> =>
  tuningOf(familyOf(adapter), adapter);

/** A tuning from its description; kernels that few adapters use are loaded when they are chosen. */
export async function tuningOf({ half, ...own }: Choice, adapter: Offering): Promise<Tuning> {
  const methods = await methodsOf(own, adapter);
  if (!half || !variantOf(half).offered(adapter)) return methods;
  return { ...methods, half: await methodsOf(half, adapter) };
}

const variantOf = ({ conv }: MethodChoice): VariantInfo =>
  CONV_VARIANTS[conv === 'quad' ? 'quad5' : conv];

async function methodsOf(choice: MethodChoice, adapter: Offering): Promise<Methods> {
  const { fuse, conv: method, lanes } = choice;
  const { offered, load } = variantOf(choice);
  if (!offered(adapter)) return { fuse, lanes, conv: () => plainConv, quads: false };
  const byLayer = async () => (await import('../../kernels/conv/convQuad.ts')).quadConv(null);
  const variant = await (method === 'quad' ? byLayer() : load(adapter));
  const conv = (spec: ConvSpec) => (variant.takes?.(spec) === false ? plainConv : variant);
  return { fuse, lanes, conv, quads: method.startsWith('quad') };
}
