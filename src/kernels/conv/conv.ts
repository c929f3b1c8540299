import type { Activation } from '../../graph/graph.ts';
import convSourceText from '../../shaders/conv/conv.wgsl?raw';
import packSource from '../../shaders/conv/pack.wgsl?raw';
import partsSource from '../../shaders/conv/parts.wgsl?raw';
import weightsSource from '../../shaders/conv/weights.wgsl?raw';
import { ACTIVATION_IDS, activationId, slopeOf } from '../activation.ts';
import {
  assemble,
  blocksOf,
  type Constants,
  type Contract,
  contract,
  type ElementType,
  type Grid,
  type Kernel,
  MAP_WORDS,
  type Params,
  QUADS,
} from '../kernel.ts';

const SHADERS = {
  'conv/conv': convSourceText,
  'conv/pack': packSource,
  'conv/parts': partsSource,
  'conv/weights': weightsSource,
};

/**
 * A convolution and its epilogue: `act1(factor * act0(conv + bias) * m + r)`, where `m` is the
 * multiplier and `r` the addend. With `mix`, `m` is a vector of two weights, and the result is
 * `act1(m[mix] * act0(conv + bias) + m[1 - mix] * r)`.
 */
export interface ConvSpec {
  readonly kernel: 1 | 3;
  readonly cIn: number;
  readonly cOut: number;
  /**
   * The factor by which the kernel enlarges its input (nearest-neighbour) while reading. It is 1 if
   * the kernel does not enlarge its input. For 1x1 convolutions, it is always 1.
   */
  readonly upsample: number;
  /** With `prelu`, the slopes are stored after the biases (`packBias`). */
  readonly act0: Activation | 'prelu' | null;
  readonly multiply: boolean;
  readonly add: boolean;
  /**
   * A constant that multiplies the result of `act0` before the addend `r` is added. It is 1 if
   * nothing is added.
   */
  readonly factor: number;
  readonly act1: Activation | null;
  /**
   * If `mix` is given, `m` is a vector of two weights, and `mix` is the index of the weight that
   * multiplies the result of `act0`. The other weight multiplies the addend `r`. In this case,
   * `multiply` and `add` are false.
   */
  readonly mix?: 0 | 1 | undefined;
  /** Whether workgroups also sum their results for a pooling op (`ConvVariant.pools`). */
  readonly pool?: boolean | undefined;
}

/** The 32-bit words of the uniform buffer, as conv/store.wgsl declares them. */
export const CONV_WORDS = {
  ...MAP_WORDS,
  in_blocks: 'u32',
  epilogue: 'u32',
  slope0: 'f32',
  slope1: 'f32',
  factor: 'f32',
  out_blocks: 'u32',
  upsample: 'u32',
  ends01: 'u32',
  ends23: 'u32',
} as const;

export type ConvParams = Params<keyof typeof CONV_WORDS>;

/**
 * The contract that all variants share for layers without `pool`. The weights come from
 * `packConvWeights` and the bias from `packBias`.
 */
export const CONV = contract(['x', 'weights', 'bias', 'multiplier', 'addend'], ['y'], CONV_WORDS);
const POOLING = contract(CONV.reads, ['y', 'partials'], CONV_WORDS);

/**
 * A kernel that computes a convolution. With `pool`, it also writes the sums of each workgroup's
 * results to `partials`, an array [workgroups along `x` and `y`][blocks] of vec4f.
 */
export type ConvKernel = Kernel<
  (typeof CONV.reads)[number],
  (typeof POOLING.writes)[number],
  keyof typeof CONV_WORDS
>;

/** Returns the contract of a layer's kernel. */
export const convContract = ({ pool }: ConvSpec) => (pool ? POOLING : CONV);

/**
 * A way to compute convolutions that read a single map, not the parts of a concatenation. All
 * variants have the same bindings, epilogue and uniform as `plainConv`. They differ in how the work
 * is divided and how weights are packed.
 */
export interface ConvVariant {
  /** Whether the variant supports a layer. If absent, the variant supports all layers. */
  readonly takes?: (spec: ConvSpec) => boolean;
  /** The only element type that the variant supports. If absent, the variant supports both. */
  readonly only?: ElementType;
  /**
   * Whether the variant's workgroups can sum their results (`ConvSpec.pool`). The property is
   * absent if a separate summing step is better. On software drivers, the barriers for such sums
   * take longer than a separate step. Small workgroups produce too many sums.
   */
  readonly pools?: boolean;
  readonly kernel: (spec: ConvSpec, element: ElementType) => ConvKernel;
  readonly grid: (spec: ConvSpec, width: number, height: number) => Grid;
  /**
   * Returns the shape for two other kernels that conv.wgsl contains. One reads a concatenation
   * (PARTS), and the other stores the final image (PACK). If this function is absent, the two
   * kernels use their default shapes.
   */
  readonly shape?: (layer: ConvSize) => ConvShape;
  /**
   * Returns constants for the kernel that reads a concatenation, so that less code has to be
   * compiled or run. If absent, one kernel serves all layers of the same kernel size.
   * @param parts the number of maps in the concatenation
   * @param maps the number of maps that the kernel reads: the parts and possibly an addend
   */
  readonly overParts?: (spec: ConvSpec, parts: number, maps: number) => Constants;
  /**
   * How the variant packs weights. If absent, weights stay in the layout that `packConvWeights`
   * produces.
   */
  readonly packing?: ConvPacking;
}

/** A layout of packed weights that differs from that of `packConvWeights`. */
export interface ConvPacking {
  /** The name of the layout. Variants that read weights in the same layout use the same name. */
  readonly name: string;
  /** Converts weights from `packConvWeights`. The given array may be changed and returned. */
  readonly arrange: (
    packed: Float32Array<ArrayBuffer>,
    spec: ConvSpec,
  ) => Float32Array<ArrayBuffer>;
}

/** The size of a layer's weights. */
export type ConvSize = Pick<ConvSpec, 'kernel' | 'cIn' | 'cOut'>;

/** Chooses the variant for a layer. */
export type ConvChoice = (spec: ConvSpec) => ConvVariant;

/** Describes how the work of a convolution is divided. */
export interface ConvShape {
  /**
   * The number of pixels in a strip. A strip is part of a row or, with `down`, part of a column.
   */
  readonly strip: number;
  readonly down?: boolean;
  /** The number of strips that each invocation computes. */
  readonly lines: number;
  /** The number of blocks of output channels that each invocation computes. */
  readonly blocks: number;
  /** The numbers of invocations along `x` and `y`. */
  readonly workgroup: readonly [number, number];
  /**
   * How weights are loaded: by the four lanes of a quad together, by the workgroup into workgroup
   * memory, or by each invocation from a uniform buffer (`padUniform`). If absent, each invocation
   * loads weights from a storage buffer.
   */
  readonly weights?: 'quad' | 'workgroup' | 'uniform';
  /** Whether the workgroup copies its input pixels to workgroup memory. */
  readonly halo?: boolean;
  /**
   * Whether the products of one block of input channels are summed in the kernel's element type,
   * which can be f16. Otherwise, all sums are f32.
   */
  readonly half?: boolean;
}

/** The number of 4 x 4 matrices of f32 that fit in a uniform binding of 64 KiB. */
const UNIFORM_MATRICES = 1024;

/** Whether a layer's weights fit in a uniform binding. */
export const fitsUniform = ({ kernel, cIn, cOut }: ConvSize): boolean =>
  blocksOf(cIn) * blocksOf(cOut) * kernel ** 2 <= UNIFORM_MATRICES;

/** Pads packed weights to the binding size that `weights: 'uniform'` requires. */
export const padUniform = (packed: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> => {
  const padded = new Float32Array(UNIFORM_MATRICES * 16);
  padded.set(packed);
  return padded;
};

/**
 * The maximum number of weight matrices that a workgroup copies at a time, unless a single input
 * block has more. In f32, 64 matrices take 4 KiB.
 */
const STAGED_MATRICES = 64;
/** The maximum number of input blocks whose matrices a workgroup copies at a time. */
const MOST_CHUNKS = 8;

/**
 * The constants of store.wgsl for a convolution that reads one map. With them, the kernel supports
 * all epilogues without `mix` (`ConvSpec.mix`).
 */
export const STORE: Constants = {
  PARTS: false,
  LINEAR: false,
  SIGMOID: false,
  MULTIPLY: true,
  ADD: true,
  MIX: false,
  PRELU: true,
  ...ACTIVATION_IDS,
};

/**
 * Returns the additional constants for a layer that mixes or pools. They override `STORE` and the
 * defaults in `convSource`.
 */
export const extras = ({ mix, pool }: ConvSpec): Constants => ({
  ...(mix !== undefined && { MULTIPLY: false, ADD: false, MIX: true }),
  ...(pool && { POOL: true, GATHER: true, STAYS: true }),
});

/**
 * The maximum number of sums per invocation for which the epilogue is unrolled. With more sums,
 * drivers would take seconds to compile it, so it becomes a loop.
 */
const MAX_UNROLLED = 8;

/**
 * Returns the expanded source of conv.wgsl for a shape. `constants` override the defaults, which
 * are those of a plain convolution of this shape.
 */
export const convSource = (
  element: ElementType,
  kernel: 1 | 3,
  shape: ConvShape,
  constants: Constants,
): string => {
  const {
    strip,
    down = false,
    lines,
    blocks,
    workgroup,
    weights,
    halo = false,
    half = false,
  } = shape;
  const [width, height] = workgroup;
  const fitting = Math.floor(STAGED_MATRICES / (blocks * kernel ** 2));
  const isQuad = weights === 'quad';
  const source = assemble(
    element,
    {
      REACH: kernel === 3 ? 1 : 0,
      STRIP: strip,
      LINES: lines,
      DOWN: down,
      BLOCKS: blocks,
      WIDTH: width,
      HEIGHT: height,
      QUAD: isQuad,
      SHARED: weights === 'workgroup',
      CHUNK: Math.max(1, Math.min(MOST_CHUNKS, fitting)),
      UNIFORM: weights === 'uniform' ? UNIFORM_MATRICES : 0,
      WEIGHTS_BINDING: constants.PARTS ? 6 : 2,
      HALO: halo,
      STAGED: weights === 'workgroup' || halo,
      HALF: half,
      // Only the epilogue that is a loop restores the order of a quad's channels.
      GATHER: isQuad || strip * lines * blocks > MAX_UNROLLED,
      POOL: false,
      STAYS: weights === 'workgroup' || halo,
      PACK: false,
      ...STORE,
      ...constants,
    },
    'conv/conv',
    SHADERS,
  );
  return isQuad ? QUADS + source : source;
};

/**
 * Returns a kernel's bindings for a shape: the same as `own`, but with `weights` as a uniform
 * buffer instead of a storage buffer if the shape requires it.
 */
export const boundFor = <C extends Contract>(own: C, { weights }: ConvShape): C =>
  weights === 'uniform' ? { ...own, uniforms: ['weights'] } : own;

/**
 * Returns the number of workgroups along `x`, `y` and `z` that conv.wgsl needs for an output of
 * `cOut` channels and `width` x `height` pixels.
 */
export const shapeGrid = (
  { strip, lines, down = false, blocks, workgroup: [x, y] }: ConvShape,
  cOut: number,
  width: number,
  height: number,
): Grid => [
  Math.ceil(width / ((down ? lines : strip) * x)),
  Math.ceil(height / ((down ? strip : lines) * y)),
  Math.ceil(blocksOf(cOut) / blocks),
];

/** Returns the shape that `plainConv` uses. Every device supports it. */
export const plainShape = (kernel: 1 | 3): ConvShape =>
  kernel === 3
    ? { strip: 8, lines: 1, blocks: 1, workgroup: [4, 16] }
    : { strip: 4, lines: 1, blocks: 1, workgroup: [8, 8] };

/**
 * The variant that runs on every device. It has a separate pipeline for each kernel size and each
 * enlargement factor.
 */
export const plainConv: ConvVariant = {
  kernel: (spec, element) => {
    const { kernel, upsample } = spec;
    return {
      label: `conv${kernel}x${kernel}${upsample > 1 ? ` nearest x${upsample}` : ''}`,
      code: convSource(element, kernel, plainShape(kernel), {
        UPSAMPLE: upsample,
        ...extras(spec),
      }),
      ...CONV,
    };
  },
  grid: ({ kernel, cOut }, width, height) => shapeGrid(plainShape(kernel), cOut, width, height),
};

/** Returns the values in the uniform buffer for an output of `width` x `height` pixels. */
export function convParams(spec: ConvSpec, width: number, height: number): ConvParams {
  const { cIn, cOut, upsample, act0, act1, multiply, add, factor, mix = 0 } = spec;
  return {
    width,
    height,
    in_blocks: blocksOf(cIn),
    epilogue:
      activationId(act0) |
      (activationId(act1) << 4) |
      (multiply ? 256 : 0) |
      (add ? 512 : 0) |
      (mix << 10),
    slope0: slopeOf(act0),
    slope1: slopeOf(act1),
    factor,
    out_blocks: blocksOf(cOut),
    upsample,
    // `convPartsParams` sets `ends01` and `ends23`, which only convolutions of concatenations use.
    ends01: 0,
    ends23: 0,
  };
}

/**
 * Packs oihw weights as an array [OUT_BLOCKS][IN_BLOCKS][kernel * kernel] of 4 x 4 matrices. The
 * matrices are column-major. Column `c` contains the weights for the input block's channel `c`. If
 * the number of input or output channels is not a multiple of 4, the last block is padded with
 * zeros. If the input is a concatenation of `parts`, the channels of each part start at a new
 * block.
 */
export function packConvWeights(
  oihw: Float32Array,
  cOut: number,
  cIn: number,
  kernel: number,
  parts: readonly number[] = [cIn],
): Float32Array<ArrayBuffer> {
  const taps = kernel * kernel;
  // `slots[i]` is the index of input channel `i` after every part has been padded to whole blocks.
  const slots: number[] = [];
  let end = 0;
  for (const channels of parts) {
    for (let i = 0; i < channels; i++) slots.push(end + i);
    end += blocksOf(channels) * 4;
  }
  const [outBlocks, inBlocks] = [blocksOf(cOut), end / 4];
  const packed = new Float32Array(outBlocks * inBlocks * taps * 16);
  for (let o = 0; o < cOut; o++) {
    for (let i = 0; i < cIn; i++) {
      const slot = slots[i];
      const matrix = ((o >> 2) * inBlocks + (slot >> 2)) * taps;
      for (let t = 0; t < taps; t++) {
        packed[(matrix + t) * 16 + (slot & 3) * 4 + (o & 3)] = oihw[(o * cIn + i) * taps + t];
      }
    }
  }
  return packed;
}

/**
 * Pads the `cOut` biases with zeros to whole blocks. If `bias` is null, all biases are zero. If
 * `slopes` is given, the slopes of a PReLU follow, also padded to whole blocks.
 */
export function packBias(
  bias: Float32Array | null,
  cOut: number,
  slopes: Float32Array | null = null,
): Float32Array<ArrayBuffer> {
  const padded = blocksOf(cOut) * 4;
  const packed = new Float32Array(slopes ? 2 * padded : padded);
  if (bias) packed.set(bias);
  if (slopes) packed.set(slopes, padded);
  return packed;
}
