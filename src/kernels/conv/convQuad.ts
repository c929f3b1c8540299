import { isLinear } from '../activation.ts';
import { blocksOf, QUADS } from '../kernel.ts';
import {
  CONV,
  type ConvShape,
  type ConvSpec,
  type ConvVariant,
  convSource,
  extras,
  shapeGrid,
} from './conv.ts';

/** The number of blocks of output channels that an invocation computes. */
export type QuadBlocks = 3 | 5;

/**
 * Creates the variant (QUAD in conv.wgsl) for devices on which loads from memory are slow. It needs
 * the feature `subgroups`. An invocation always computes 5 blocks of a 1x1 layer, and 3 blocks of a
 * 3x3 layer with a multiplication, an addition or a PReLU.
 * @param blocks the number of blocks for all other layers; if null, `quadBlocks` chooses it for
 *   each layer
 */
export const quadConv = (blocks: QuadBlocks | null): ConvVariant => ({
  takes: isQuadSpec,
  // An f16 version is not needed. This variant is the default only for SwiftShader, which does not
  // support f16.
  only: 'f32',
  kernel: (spec, element) => {
    const { kernel, act0, multiply, add, mix } = spec;
    const shape = quadShape(spec, blocks);
    // These constants determine which operations the epilogue supports. A 3x3 kernel takes a second
    // or two to compile. One kernel with 3 blocks therefore serves different layers. It supports
    // multiplication, addition and PReLU. The kernel with 5 blocks supports none of them, because
    // the layers that use it need none. A 1x1 kernel supports only the operations that its layer
    // needs.
    const whole = kernel === 3 && shape.blocks === 3 && mix === undefined;
    const sigmoid = typeof act0 === 'object' && act0?.fn === 'sigmoid';
    const constants = {
      ...extras(spec),
      LINEAR: true,
      SIGMOID: sigmoid,
      MULTIPLY: whole || multiply,
      ADD: whole || add,
      PRELU: !sigmoid && (whole || act0 === 'prelu'),
      // With UPSAMPLE 0, the kernel reads the enlargement factor from its uniform buffer, so that
      // layers with different factors share a pipeline.
      UPSAMPLE: kernel === 1 ? 1 : 0,
    };
    return {
      label: `conv${kernel}x${kernel} by quads, ${shape.blocks} blocks`,
      code: `${QUADS}${convSource(element, kernel, shape, constants)}`,
      ...CONV,
    };
  },
  grid: (spec, width, height) => shapeGrid(quadShape(spec, blocks), spec.cOut, width, height),
  packing: { name: 'transposed', arrange: transposeMatrices },
});

const quadShape = (spec: ConvSpec, blocks: QuadBlocks | null): ConvShape => ({
  strip: 8,
  lines: 1,
  blocks: blocksPerInvocation(spec, blocks),
  workgroup: [4, 16],
  weights: 'quad',
});

function blocksPerInvocation(spec: ConvSpec, blocks: QuadBlocks | null): QuadBlocks {
  const { kernel, multiply, add, act0 } = spec;
  if (kernel === 1) return 5;
  return multiply || add || act0 === 'prelu' ? 3 : (blocks ?? quadBlocks(spec));
}

/** Whether the kernels of this variant support the layer's activations. */
function isQuadSpec({ act0, act1 }: ConvSpec): boolean {
  const first = act0 === 'prelu' || isLinear(act0) || act0?.fn === 'sigmoid';
  return first && isLinear(act1);
}

/**
 * Returns how many blocks an invocation should compute: 3 or 5, whichever takes less time for the
 * layer. If the layer's number of blocks is not a multiple of this number, the last invocation also
 * computes unused blocks, which take as much time as the others.
 */
export function quadBlocks({ cOut }: ConvSpec): QuadBlocks {
  const blocks = blocksOf(cOut);
  const waste = (by: number) => Math.ceil(blocks / by) * by;
  // A kernel that computes 3 blocks takes about 10% more time per block than one that computes 5.
  return waste(3) * 1.1 < waste(5) ? 3 : 5;
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
