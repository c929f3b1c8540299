import { isLinear } from '../activation.ts';
import { blocksOf } from '../kernel.ts';
import {
  CONV,
  type ConvShape,
  type ConvSize,
  type ConvSpec,
  type ConvVariant,
  convSource,
  extras,
  shapeGrid,
} from './conv.ts';

/** The number of blocks of output channels that an invocation computes. */
export type QuadBlocks = 1 | 3 | 4 | 5;

/**
 * Creates the variant (QUAD in conv.wgsl) for devices on which loads from memory are slow. It needs
 * the feature `subgroups`. An invocation always computes 5 blocks of a 1x1 layer. It computes at most
 * 3 blocks of a 3x3 layer with a multiplication, an addition or a PReLU.
 * @param blocks the number of blocks for all other layers; if null, `quadBlocks` chooses it for
 *   each layer
 */
export const quadConv = (blocks: QuadBlocks | null): ConvVariant => ({
  takes: isQuadSpec,
  // An f16 version is not needed. This variant is the default only for SwiftShader, which does not
  // support f16.
  only: 'f32',
  kernel: (spec, element) => {
    const { kernel, multiply, mix } = spec;
    const shape = quadShape(spec, blocks);
    // These constants determine which operations the epilogue supports. A 3x3 kernel takes a second
    // or two to compile. The kernels with 1 and 3 blocks therefore support multiplication, addition
    // and PReLU, so that each serves different layers. The kernels with 4 and 5 blocks support none
    // of them, because the layers that use them need none. A 1x1 kernel supports only the operations
    // that its layer needs.
    const whole = kernel === 3 && shape.blocks <= 3 && mix === undefined;
    const constants = {
      ...epilogueOf(spec, whole),
      MULTIPLY: whole || multiply,
      ...extras(spec),
      // With UPSAMPLE 0, the kernel reads the enlargement factor from its uniform buffer, so that
      // layers with different factors share a pipeline.
      UPSAMPLE: kernel === 1 ? 1 : 0,
    };
    return {
      label: `conv${kernel}x${kernel} by quads, ${shape.blocks} block${shape.blocks > 1 ? 's' : ''}`,
      code: convSource(element, kernel, shape, constants),
      ...CONV,
    };
  },
  grid: (spec, width, height) => shapeGrid(quadShape(spec, blocks), spec.cOut, width, height),
  packing: { name: 'transposed', arrange: transposeMatrices },
  shape: (layer) => {
    // The kernel that stores the final image requires a single block.
    const isLast = layer.kernel === 3 && blocksOf(layer.cOut) === 1;
    return shapeOf(isLast ? 1 : blocksFor(layer, blocks));
  },
  overParts: (spec, parts, maps) => ({
    ...epilogueOf(spec, spec.kernel === 3),
    // A 1x1 kernel compiles quickly. With reads from all five possible maps, it would take 40 % more
    // time.
    ...(spec.kernel === 1 && { PARTS: parts, MAPS: maps }),
  }),
});

/**
 * Returns constants of store.wgsl that support the layer's activations and addition.
 * @param whole whether to support addition and PReLU even if the layer has none
 */
function epilogueOf({ act0, add }: ConvSpec, whole: boolean) {
  const isSigmoid = typeof act0 === 'object' && act0?.fn === 'sigmoid';
  return {
    LINEAR: true,
    SIGMOID: isSigmoid,
    ADD: whole || add,
    PRELU: !isSigmoid && (whole || act0 === 'prelu'),
  };
}

function quadShape(spec: ConvSpec, blocks: QuadBlocks | null): ConvShape {
  const { kernel, multiply, add, act0 } = spec;
  const wanted = blocksFor(spec, blocks);
  const isLong = multiply || add || act0 === 'prelu';
  return shapeOf(kernel === 3 && isLong && wanted > 3 ? 3 : wanted);
}

const blocksFor = (layer: ConvSize, blocks: QuadBlocks | null): QuadBlocks =>
  layer.kernel === 1 ? 5 : (blocks ?? quadBlocks(layer));

const shapeOf = (blocks: QuadBlocks): ConvShape => ({
  strip: 8,
  lines: 1,
  blocks,
  workgroup: [4, 16],
  weights: 'quad',
});

/** Whether the kernels of this variant support the layer's activations. */
function isQuadSpec({ act0, act1 }: ConvSpec): boolean {
  const first = act0 === 'prelu' || isLinear(act0) || act0?.fn === 'sigmoid';
  return first && isLinear(act1);
}

/** Numbers of blocks per invocation, and the relative time that SwiftShader takes per block. */
const COSTS = [
  [5, 1],
  [4, 1.05],
  [3, 1.1],
  [1, 1.8],
] as const;

/**
 * Returns the number of blocks per invocation with which the layer takes the least time. If the
 * layer's number of blocks is not a multiple of this number, the last invocation also computes
 * unused blocks, which take as much time as the others.
 */
export function quadBlocks({ cOut }: Pick<ConvSize, 'cOut'>): QuadBlocks {
  const blocks = blocksOf(cOut);
  const cost = ([by, each]: (typeof COSTS)[number]) => Math.ceil(blocks / by) * by * each;
  return COSTS.reduce((best, one) => (cost(one) < cost(best) ? one : best))[0];
}

/** Transposes 4 x 4 matrices in place. */
function transposeMatrices(packed: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  for (let m = 0; m < packed.length; m += 16) {
    for (let row = 0; row < 4; row++) {
      for (let col = 0; col < row; col++) {
        const [a, b] = [m + row * 4 + col, m + col * 4 + row];
        [packed[a], packed[b]] = [packed[b], packed[a]];
      }
    }
  }
  return packed;
}
