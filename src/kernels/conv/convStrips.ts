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

/** How a convolution is divided into strips. */
export interface StripCut {
  /** Pixels of a column, and blocks of output channels, per invocation. */
  readonly pixels: number;
  readonly blocks: number;
  /** Where weights are read from; a storage buffer by default. */
  readonly weights?: 'uniform' | 'workgroup';
  /** Whether pixels go through workgroup memory. */
  readonly halo?: boolean;
  /** Whether products are summed in f16 within each input block, and in f32 across blocks. */
  readonly half?: boolean;
}

/** Invocations along x: as many as the largest usual subgroup has, so that it reads one row. */
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
    // Fewer if the layer has fewer: the last layer of a network has one.
    blocks: Math.min(blocks, blocksOf(cOut)),
    // With a halo, half as many rows; the halo then takes 10 KiB.
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
        // 0 selects the uniform's factor, so all enlargements share a pipeline.
        code: convSource(element, kernel, own, { UPSAMPLE: upsample > 1 ? 0 : 1, ...extras(spec) }),
        ...boundFor(convContract(spec), own),
      };
    },
    grid: (spec, width, height) => shapeGrid(shape(spec), spec.cOut, width, height),
  };
}
