import matrixSource from '../../shaders/conv/matrix.wgsl?raw';
import storeSource from '../../shaders/conv/store.wgsl?raw';
import activationSource from '../../shaders/lib/activation.wgsl?raw';
import { assemble, blocksOf } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';
import { CONV, type ConvSpec, type ConvVariant, STORE } from './conv.ts';

const SHADERS: Sources = {
  'conv/matrix': matrixSource,
  'conv/store': storeSource,
  'lib/activation': activationSource,
};

/** Matrices that a subgroup multiplies: [m x k] of f16 by [k x n] of f16, summed in f32. */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Invocations of a subgroup; the size is fixed. */
  readonly subgroup: number;
}

const HEAD = `enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
`;
const SUBGROUPS = 4;
/** Rows of 16 pixels per subgroup. */
const ROWS = 2;
/** Columns of n channels per workgroup at most. More would not fit into registers. */
const COLUMNS = 5;
const PIXELS = 16;

/** Whether conv/matrix.wgsl supports the unit. */
export const fitsMatrix = ({ m, n, k }: MatrixUnit): boolean =>
  PIXELS % m === 0 && n % 4 === 0 && k % 4 === 0;

/**
 * Convolutions with subgroup matrices, for f16 maps. Real GPUs multiply these several times faster
 * than vectors.
 */
export const matrixConv = (unit: MatrixUnit): ConvVariant => {
  const { m, n, k, subgroup } = unit;
  return {
    only: 'f16',
    kernel: (spec, element) => ({
      label: `conv${spec.kernel}x${spec.kernel} by matrices of ${m} x ${n} x ${k}`,
      code: `${HEAD}${assemble(
        element,
        {
          SIDE: spec.kernel,
          UPSAMPLE: spec.upsample,
          M: m,
          N: n,
          K: k,
          SUBGROUP: subgroup,
          SUBGROUPS,
          ROWS,
          COLUMNS: columnsOf(spec, unit).each,
          ...STORE,
        },
        'conv/matrix',
        SHADERS,
      )}`,
      ...CONV,
    }),
    grid: (spec, width, height) => [
      Math.ceil(width / PIXELS),
      Math.ceil(height / (SUBGROUPS * ROWS)),
      columnsOf(spec, unit).groups,
    ],
    packing: {
      name: `matrices of ${k} x ${n}`,
      arrange: (packed, spec) => arrangeMatrices(packed, spec, unit),
    },
  };
};

/** Columns of n output channels and their number per workgroup, divided as evenly as possible. */
function columnsOf({ cOut }: ConvSpec, { n }: MatrixUnit): { each: number; groups: number } {
  const all = Math.ceil((blocksOf(cOut) * 4) / n);
  const groups = Math.ceil(all / COLUMNS);
  return { each: Math.ceil(all / groups), groups };
}

/** `packConvWeights` -> [chunks][taps][columns][k][n], padded with zeros. */
function arrangeMatrices(
  packed: Float32Array<ArrayBuffer>,
  { kernel, cIn, cOut }: ConvSpec,
  { n, k }: MatrixUnit,
): Float32Array<ArrayBuffer> {
  const taps = kernel ** 2;
  const [inBlocks, outBlocks] = [blocksOf(cIn), blocksOf(cOut)];
  const columns = Math.ceil((outBlocks * 4) / n);
  const arranged = new Float32Array(Math.ceil((inBlocks * 4) / k) * taps * columns * k * n);
  for (let from = 0; from < packed.length; from++) {
    const matrix = from >> 4;
    const tap = matrix % taps;
    const i = (Math.floor(matrix / taps) % inBlocks) * 4 + ((from >> 2) & 3);
    const o = Math.floor(matrix / taps / inBlocks) * 4 + (from & 3);
    const at = (Math.floor(i / k) * taps + tap) * columns + Math.floor(o / n);
    arranged[(at * k + (i % k)) * n + (o % n)] = packed[from];
  }
  return arranged;
}
