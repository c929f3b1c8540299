import { blocksOf } from '../kernel.ts';
import {
  boundFor,
  type ConvShape,
  type ConvVariant,
  convContract,
  convSource,
  extras,
  fitsUniform,
  padUniform,
  shapeGrid,
} from './conv.ts';

/** How a convolution by strips is divided. */
export interface StripCut {
  /** Pixels of a column, and blocks of output channels, per invocation. */
  readonly pixels: number;
  readonly blocks: number;
  /** Where weights are read from; default storage. */
  readonly weights?: 'uniform' | 'workgroup';
  /** Whether pixels go through workgroup memory. */
  readonly halo?: boolean;
  /** Whether products are in f16, with their sums moved to f32 after each input block. */
  readonly half?: boolean;
}

/** Invocations along x: those of the largest usual subgroup read one row of pixels. */
const ACROSS = 32;

/**
 * Convolutions whose invocations compute strips of columns, so that neighbouring invocations read
 * neighbouring pixels. Layers share three pipelines: 3x3, 3x3 through an enlargement, 1x1.
 */
export function stripConv({ pixels, blocks, weights, halo, half }: StripCut): ConvVariant {
  const shape: ConvVariant['shape'] & {} = ({ cOut }): ConvShape => ({
    strip: pixels,
    down: true,
    lines: 1,
    // Fewer where the layer has fewer: the last layer of a network has one.
    blocks: Math.min(blocks, blocksOf(cOut)),
    // Half the rows with a halo, which then takes 10 KiB.
    workgroup: [ACROSS, halo ? 2 : 4],
    ...(weights && { weights }),
    ...(halo && { halo }),
    ...(half && { half }),
  });
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
        // 0: the uniform's factor, because enlargements then share a pipeline.
        code: convSource(element, kernel, own, { UPSAMPLE: upsample > 1 ? 0 : 1, ...extras(spec) }),
        ...boundFor(convContract(spec), own),
      };
    },
    grid: (spec, width, height) => shapeGrid(shape(spec), spec.cOut, width, height),
  };
}
