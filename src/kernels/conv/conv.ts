import type { Activation } from '../../graph/graph.ts';
import columnsSource from '../../shaders/conv/columns.wgsl?raw';
import convSourceText from '../../shaders/conv/conv.wgsl?raw';
import packSource from '../../shaders/conv/pack.wgsl?raw';
import partsSource from '../../shaders/conv/parts.wgsl?raw';
import productSource from '../../shaders/conv/product.wgsl?raw';
import storeSource from '../../shaders/conv/store.wgsl?raw';
import weightsSource from '../../shaders/conv/weights.wgsl?raw';
import activationSource from '../../shaders/lib/activation.wgsl?raw';
import { ACTIVATION_IDS, activationId, slopeOf } from '../activation.ts';
import {
  assemble,
  blocksOf,
  type Constants,
  contract,
  type ElementType,
  type Grid,
  type Kernel,
  MAP_WORDS,
  type Params,
} from '../kernel.ts';
import type { Sources } from '../wgsl.ts';

const SHADERS: Sources = {
  'conv/columns': columnsSource,
  'conv/conv': convSourceText,
  'conv/pack': packSource,
  'conv/parts': partsSource,
  'conv/product': productSource,
  'conv/store': storeSource,
  'conv/weights': weightsSource,
  'lib/activation': activationSource,
};

/** A convolution and its whole epilogue: act1(factor * act0(conv + bias) * m + r). */
export interface ConvSpec {
  readonly kernel: 1 | 3;
  readonly cIn: number;
  readonly cOut: number;
  /**
   * Factor of the nearest enlargement through which the input is read; 1 for none (1x1: always 1).
   */
  readonly upsample: number;
  /** `prelu`: the slopes follow the biases (`packBias`). */
  readonly act0: Activation | 'prelu' | null;
  readonly multiply: boolean;
  readonly add: boolean;
  /** Factor of the product before the sum; 1 where nothing is added. */
  readonly factor: number;
  readonly act1: Activation | null;
}

/** Words of conv/store.wgsl. */
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

/** The operands of all variants: weights by `packConvWeights`, bias by `packBias`. */
export const CONV = contract(['x', 'weights', 'bias', 'multiplier', 'addend'], ['y'], CONV_WORDS);

export type ConvKernel = Kernel<(typeof CONV.reads)[number], 'y', keyof typeof CONV_WORDS>;

/**
 * One way to compute convolutions of plain maps. All variants have the bindings, the epilogue and
 * the uniform of `convKernel`. They differ in how the work is divided and in how weights are
 * packed.
 */
export interface ConvVariant {
  /** Whether it supports a layer's epilogue. Absent: it supports all. */
  readonly takes?: (spec: ConvSpec) => boolean;
  /** The only element type that it supports. Absent: both. */
  readonly only?: ElementType;
  readonly kernel: (spec: ConvSpec, element: ElementType) => ConvKernel;
  readonly grid: (spec: ConvSpec, width: number, height: number) => Grid;
  /** Absent: weights stay as `packConvWeights` packs them. */
  readonly packing?: ConvPacking;
}

/** Another order of the packed weights of a convolution. */
export interface ConvPacking {
  /** Variants that read weights in the same order use the same name. */
  readonly name: string;
  /** Gets the array of `packConvWeights` and may change it. */
  readonly arrange: (
    packed: Float32Array<ArrayBuffer>,
    spec: ConvSpec,
  ) => Float32Array<ArrayBuffer>;
}

/** The variant for a layer. */
export type ConvChoice = (spec: ConvSpec) => ConvVariant;

/** How the work of a convolution is divided. */
export interface ConvShape {
  /** Pixels and blocks of output channels per invocation. */
  readonly columns: number;
  readonly rows: number;
  readonly blocks: number;
  /** Invocations along x and y. */
  readonly workgroup: readonly [number, number];
  /** Which invocations load weights together. Absent: every invocation loads its own. */
  readonly weights?: 'quad' | 'workgroup';
}

/** The constants of store.wgsl for a convolution of one map with any epilogue. */
export const STORE: Constants = {
  PARTS: false,
  LINEAR: false,
  SIGMOID: false,
  MULTIPLY: true,
  ADD: true,
  PRELU: true,
  ...ACTIVATION_IDS,
};

/**
 * Sums of an invocation that go through an unrolled epilogue. With more, drivers take seconds to compile
 * it, and the sums go through an array instead.
 */
const MAX_UNROLLED = 8;

/** Source of conv.wgsl for a shape. `constants` override those of a plain convolution. */
export const convSource = (
  element: ElementType,
  kernel: 1 | 3,
  { columns, rows, blocks, workgroup: [width, height], weights }: ConvShape,
  constants: Constants,
): string =>
  assemble(
    element,
    {
      REACH: kernel === 3 ? 1 : 0,
      COLUMNS: columns,
      ROWS: rows,
      BLOCKS: blocks,
      WIDTH: width,
      HEIGHT: height,
      QUAD: weights === 'quad',
      SHARED: weights === 'workgroup',
      GATHER: columns * rows * blocks > MAX_UNROLLED,
      PACK: false,
      ...STORE,
      ...constants,
    },
    'conv/conv',
    SHADERS,
  );

/** Grid of conv.wgsl for `cOut` channels of `width` x `height` pixels. */
export const shapeGrid = (
  { columns, rows, blocks, workgroup: [x, y] }: ConvShape,
  cOut: number,
  width: number,
  height: number,
): Grid => [
  Math.ceil(width / (columns * x)),
  Math.ceil(height / (rows * y)),
  Math.ceil(blocksOf(cOut) / blocks),
];

/** A shape that runs well on every device. */
export const plainShape = (kernel: 1 | 3): ConvShape =>
  kernel === 3
    ? { columns: 8, rows: 1, blocks: 1, workgroup: [4, 16] }
    : { columns: 4, rows: 1, blocks: 1, workgroup: [8, 8] };

/** A variant with a shape. Layers share a pipeline unless their enlargement differs. */
export const shapedVariant = (
  name: string,
  shapeOf: (spec: ConvSpec) => ConvShape,
): Pick<ConvVariant, 'kernel' | 'grid'> => ({
  kernel: (spec, element) => {
    const { kernel, upsample } = spec;
    return {
      label: `conv${kernel}x${kernel}${name}${upsample > 1 ? ` nearest x${upsample}` : ''}`,
      code: convSource(element, kernel, shapeOf(spec), { UPSAMPLE: upsample }),
      ...CONV,
    };
  },
  grid: (spec, width, height) => shapeGrid(shapeOf(spec), spec.cOut, width, height),
});

/** The variant that runs well on every device. */
export const plainConv: ConvVariant = shapedVariant('', ({ kernel }) => plainShape(kernel));

/** The uniform's words for an output of `width` x `height` pixels. */
export function convParams(spec: ConvSpec, width: number, height: number): ConvParams {
  const { cIn, cOut, upsample, act0, act1, multiply, add, factor } = spec;
  return {
    width,
    height,
    in_blocks: blocksOf(cIn),
    epilogue:
      activationId(act0) | (activationId(act1) << 4) | (multiply ? 256 : 0) | (add ? 512 : 0),
    slope0: slopeOf(act0),
    slope1: slopeOf(act1),
    factor,
    out_blocks: blocksOf(cOut),
    upsample,
    // For concatenations (convParts.ts).
    ends01: 0,
    ends23: 0,
  };
}

/**
 * oihw -> [OUT_BLOCKS][IN_BLOCKS][k * k] matrices of 4 x 4, column-major: column c holds the taps
 * of input channel c. Absent input and output channels are zero. Each part of a concatenation
 * begins with a new block.
 */
export function packConvWeights(
  oihw: Float32Array,
  cOut: number,
  cIn: number,
  kernel: number,
  parts: readonly number[] = [cIn],
): Float32Array<ArrayBuffer> {
  const taps = kernel * kernel;
  // The index of each input channel among the slots of all blocks.
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
 * [cOut] padded with zeros to whole blocks; all zeros for a layer without bias. The slopes of a
 * PReLU follow, padded in the same way.
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
