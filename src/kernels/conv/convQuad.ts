import conv1x1Source from '../../shaders/conv/conv1x1Quad.wgsl?raw';
import conv3x3By3Source from '../../shaders/conv/conv3x3Quad3.wgsl?raw';
import conv3x3By5Source from '../../shaders/conv/conv3x3Quad5.wgsl?raw';
import quadSource from '../../shaders/conv/quad.wgsl?raw';
import linearSource from '../../shaders/conv/quadLinear.wgsl?raw';
import sigmoidSource from '../../shaders/conv/quadSigmoid.wgsl?raw';
import { assemble, blocksOf } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';
import type { ConvSpec, ConvVariant } from './conv.ts';

const SHADERS: Sources = {
  'conv/conv1x1Quad': conv1x1Source,
  'conv/conv3x3Quad3': conv3x3By3Source,
  'conv/conv3x3Quad5': conv3x3By5Source,
  'conv/quad': quadSource,
  'conv/quadLinear': linearSource,
  'conv/quadSigmoid': sigmoidSource,
};

/** Blocks of output channels that an invocation computes. */
export type QuadBlocks = 3 | 5;

/** A quad lies within a row, so that branches on the row keep its lanes together; WGSL cannot see that. */
const HEAD = 'enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n';

/**
 * Convolutions for devices with `subgroups` where loads are dear: see conv3x3Quad5.wgsl. Layers whose
 * epilogue that kernel does not have are computed by 3 blocks all the same.
 * @param blocks null: what leaves the fewest idle, layer by layer
 */
export const quadConv = (blocks: QuadBlocks | null): ConvVariant => ({
  takes: isQuadSpec,
  // The adapters that it is for have no f16.
  only: 'f32',
  kernel: (spec, element) => {
    const { kernel, act0, multiply, add } = spec;
    const by = blocksPerInvocation(spec, blocks);
    const sigmoid = typeof act0 === 'object' && act0?.fn === 'sigmoid';
    const source = kernel === 1 ? 'conv/conv1x1Quad' : `conv/conv3x3Quad${by}`;
    // What the epilogue can do. 3x3 kernels compile for a second or two: one can do everything, the
    // other, which most layers use, nothing. 1x1 kernels are cut to the layer.
    const whole = kernel === 3 && by === 3;
    const epilogue = {
      SIGMOID: sigmoid,
      MULTIPLY: whole || multiply,
      ADD: whole || add,
      PRELU: whole || act0 === 'prelu',
    };
    return {
      label: `conv${kernel}x${kernel} by quads, ${by} blocks`,
      code: `${HEAD}${assemble(element, epilogue, source, SHADERS)}`,
      bindings: ['read', 'read', 'read', 'read', 'read', 'write'],
    };
  },
  grid: (spec, width, height) => [
    Math.ceil(width / 32),
    Math.ceil(height / 16),
    Math.ceil(blocksOf(spec.cOut) / blocksPerInvocation(spec, blocks)),
  ],
  packing: { name: 'transposed', arrange: transposeMatrices },
});

function blocksPerInvocation(spec: ConvSpec, blocks: QuadBlocks | null): QuadBlocks {
  const { kernel, multiply, add, act0 } = spec;
  if (kernel === 1) return 5;
  return multiply || add || act0 === 'prelu' ? 3 : (blocks ?? quadBlocks(spec));
}

/** Whether these kernels know the layer's activations. */
function isQuadSpec({ act0, act1 }: ConvSpec): boolean {
  const first = act0 === null || act0 === 'prelu' ? null : act0.fn;
  const linear = (fn: string | null | undefined) =>
    fn == null || fn === 'relu' || fn === 'leakyRelu';
  return (linear(first) || first === 'sigmoid') && linear(act1?.fn);
}

/** The number of blocks that leaves the fewest idle; 5 where both do alike, since it is faster. */
export function quadBlocks({ cOut }: ConvSpec): QuadBlocks {
  const blocks = blocksOf(cOut);
  const waste = (by: number) => Math.ceil(blocks / by) * by;
  // Three blocks take about a tenth longer each.
  return waste(3) * 1.1 < waste(5) ? 3 : 5;
}

/** Matrices of 4 x 4 transposed in place. */
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
