import { blocksOf } from '../kernel.ts';
import {
  boundFor,
  type ConvShape,
  type ConvSpec,
  type ConvVariant,
  convContract,
  convSource,
  extras,
  fitsUniform,
  padUniform,
  shapeGrid,
} from './conv.ts';

/** Describes how a convolution is divided into strips. */
export interface StripCut extends Pick<ConvShape, 'blocks' | 'halo' | 'half'> {
  /** The length of a strip in pixels. */
  readonly pixels: number;
  /** The kernel reads the weights from this type of memory. The default is a storage buffer. */
  readonly weights?: 'uniform' | 'workgroup';
}

/**
 * The number of invocations along `x` in a workgroup. Most GPUs have subgroups of at most 32
 * invocations. On these GPUs, all invocations of a subgroup are in the same row.
 */
const ACROSS = 32;

/** Returns the shape that `stripConv` uses for a layer. */
export const stripShape =
  ({ pixels, ...cut }: StripCut) =>
  ({ cOut }: Pick<ConvSpec, 'cOut'>): ConvShape => ({
    ...cut,
    strip: pixels,
    down: true,
    lines: 1,
    // A layer can have fewer than `blocks` blocks of output channels. For example, a layer with RGB
    // output has one block. Each invocation then computes all blocks of the layer.
    blocks: Math.min(cut.blocks, blocksOf(cOut)),
    // With a halo, a workgroup has half as many rows, so that its input takes only about 10 KiB.
    workgroup: [ACROSS, cut.halo ? 2 : 4],
  });

/**
 * Creates a convolution variant. Its invocations compute vertical strips that lie side by side, so
 * neighbouring invocations read neighbouring pixels. Most layers share three pipelines: 3x3, 3x3
 * with an enlargement, and 1x1.
 */
export function stripConv(cut: StripCut): ConvVariant {
  const { pixels, blocks, weights, halo, half } = cut;
  const shape = stripShape(cut);
  const name = [
    `${pixels} x ${blocks}`,
    ...(weights ? [`${weights} weights`] : []),
    ...(halo ? ['halo'] : []),
    ...(half ? ['f16 products'] : []),
  ].join(', ');
  return {
    ...(half && { only: 'f16' }),
    ...(weights === 'uniform' && {
      takes: fitsUniform,
      packing: { name: 'uniform', arrange: padUniform },
    }),
    shape,
    pools: true,
    kernel: (spec, element) => {
      const { kernel, upsample } = spec;
      const own = shape(spec);
      return {
        label: `conv${kernel}x${kernel} by strips of ${name}${upsample > 1 ? ', nearest' : ''}`,
        // With UPSAMPLE 0, the kernel reads the enlargement factor from the uniform buffer, so all
        // factors share a pipeline.
        code: convSource(element, kernel, own, { UPSAMPLE: upsample > 1 ? 0 : 1, ...extras(spec) }),
        ...boundFor(convContract(spec), own),
      };
    },
    grid: (spec, width, height) => shapeGrid(shape(spec), spec.cOut, width, height),
  };
}
