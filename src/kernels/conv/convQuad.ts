import { isLinear } from '../activation.ts';
import { blocksOf } from '../kernel.ts';
import {
  CONV,
  type ConvShape,
  type ConvSpec,
  type ConvVariant,
  convSource,
  extras,
  shapeGrid,
} from './conv.ts';

/** The number of output channel blocks that an invocation computes. */
export type QuadBlocks = 3 | 5;

/**
 * The lanes of a quad share a row, so branches that depend on the row are uniform within the quad.
 * A WGSL compiler cannot prove this.
 */
const HEAD = 'enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n';

/**
 * Creates the variant (QUAD in conv.wgsl) for devices that support `subgroups` and have expensive
 * memory loads. 1x1 layers always use 5 blocks, and 3x3 layers with a multiplication, an addition
 * or a PReLU always use 3. `blocks` applies to the other layers.
 * @param blocks if null, `quadBlocks` chooses the number for each layer
 */
export const quadConv = (blocks: QuadBlocks | null): ConvVariant => ({
  takes: isQuadSpec,
  // The adapters that need this variant do not support f16.
  only: 'f32',
  kernel: (spec, element) => {
    const { kernel, act0, multiply, add, mix } = spec;
    const shape = quadShape(spec, blocks);
    // These constants select the supported epilogues. A 3x3 kernel takes a second or two to
    // compile, so one kernel supports multiplication, addition and PReLU together. The kernel that
    // most layers use supports none of these. 1x1 kernels are specialised for each layer.
    const whole = kernel === 3 && shape.blocks === 3 && mix === undefined;
    const sigmoid = typeof act0 === 'object' && act0?.fn === 'sigmoid';
    const constants = {
      ...extras(spec),
      LINEAR: true,
      SIGMOID: sigmoid,
      MULTIPLY: whole || multiply,
      ADD: whole || add,
      PRELU: !sigmoid && (whole || act0 === 'prelu'),
      // With 0, the kernel reads the factor from the uniform, so layers share a pipeline.
      UPSAMPLE: kernel === 1 ? 1 : 0,
    };
    return {
      label: `conv${kernel}x${kernel} by quads, ${shape.blocks} blocks`,
      code: `${HEAD}${convSource(element, kernel, shape, constants)}`,
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

/** Whether these kernels support the layer's activations. */
function isQuadSpec({ act0, act1 }: ConvSpec): boolean {
  const first = act0 === 'prelu' || isLinear(act0) || act0?.fn === 'sigmoid';
  return first && isLinear(act1);
}

/**
 * Returns 3 or 5 blocks per invocation, whichever takes less time for the layer. Blocks beyond the
 * layer's last one take as much time as the others.
 */
export function quadBlocks({ cOut }: ConvSpec): QuadBlocks {
  const blocks = blocksOf(cOut);
  const waste = (by: number) => Math.ceil(blocks / by) * by;
  // With 3 blocks, a kernel takes about 10% more time per block.
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
