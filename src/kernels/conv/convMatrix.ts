import leaveSource from '../../shaders/conv/leave.wgsl?raw';
import matrixSource from '../../shaders/conv/matrix.wgsl?raw';
import { assemble, blocksOf } from '../kernel.ts';
import { CONV, type ConvSize, type ConvSpec, type ConvVariant, extras, STORE } from './conv.ts';
import { stripShape } from './convStrips.ts';

const SHADERS = {
  'conv/leave': leaveSource,
  'conv/matrix': matrixSource,
};

/**
 * The sizes of the matrices that a subgroup multiplies: `m` x `k` and `k` x `n`. Both matrices are
 * f16, and sums are f32.
 */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /**
   * A smaller value that the adapter also supports in place of `k`, or 0 if there is none. Kernels
   * multiply values in steps of `k`. If exactly `rest` values remain, a last step multiplies them.
   */
  readonly rest: number;
  /** The fixed number of invocations in a subgroup. */
  readonly subgroup: number;
  /** The number of bytes of workgroup memory that a kernel may use. */
  readonly bytes: number;
}

const HEAD = `enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
`;
/** A subgroup computes 16 x 4 pixels. */
const ACROSS = 16;
const DOWN = 4;
/**
 * The maximum number of columns that a workgroup computes. A column is `n` output channels. More
 * columns would not fit in the registers.
 */
const COLUMNS = 5;
/** The maximum number of input channels in workgroup memory at a time. */
const CHANNELS = 40;

/**
 * Whether conv/matrix.wgsl supports matrices of these sizes. The rows of the matrices must start at
 * multiples of 16 bytes in memory.
 */
export const fitsMatrix = ({ m, n, k }: Pick<MatrixUnit, 'm' | 'n' | 'k'>): boolean =>
  ACROSS % m === 0 && n % 8 === 0 && (k === 8 || k === 16);

/** Describes how a layer's channels are divided among workgroups, chunks and matrices. */
interface Division {
  /**
   * A column is `n` output channels. A workgroup computes `columns` columns. Together, `groups`
   * workgroups compute all columns.
   */
  readonly columns: number;
  readonly groups: number;
  /** The number of chunks into which the input channels are divided. */
  readonly chunks: number;
  /** The number of channels per chunk, which is a multiple of 8. */
  readonly channels: number;
  /** The distance between consecutive pixels in workgroup memory, in values. */
  readonly pitch: number;
  /**
   * In workgroup memory, the values for a row of the kernel's taps form `runs` runs of `length`
   * consecutive values.
   */
  readonly runs: number;
  readonly length: number;
  /**
   * A run takes `steps` steps, each of which multiplies `k` values by their weights. If `last` is
   * not 0, one more step multiplies the remaining `last` values.
   */
  readonly steps: number;
  readonly last: number;
}

function divide({ kernel, cIn, cOut }: ConvSize, { n, k, rest }: MatrixUnit): Division {
  // Columns are divided evenly among workgroups, and input channels evenly among chunks.
  const all = Math.ceil((blocksOf(cOut) * 4) / n);
  const groups = Math.ceil(all / COLUMNS);
  const padded = Math.ceil(cIn / 8) * 8;
  const chunks = Math.ceil(padded / CHANNELS);
  const channels = Math.ceil(padded / chunks / 8) * 8;
  // To avoid bank conflicts in workgroup memory, the distance between pixels must be an odd
  // multiple of 16 bytes (8 values). If `channels` is already an odd multiple of 8, the pixels need
  // no padding. The values for all taps in a row of the kernel are then consecutive and form a
  // single run.
  const isOdd = (channels / 8) % 2 === 1;
  const length = isOdd ? kernel * channels : channels;
  const left = length % k;
  const isSmall = rest > 0 && left === rest;
  return {
    columns: Math.ceil(all / groups),
    groups,
    chunks,
    channels,
    pitch: isOdd ? channels : channels + 8,
    runs: isOdd ? 1 : kernel,
    length,
    steps: isSmall ? Math.floor(length / k) : Math.ceil(length / k),
    last: isSmall ? rest : 0,
  };
}

/**
 * Finds the largest workgroup whose data fits in workgroup memory. At the end, the kernel copies
 * its sums to workgroup memory. If `goes` is 1, it copies them all at once. If `goes` is 2, it
 * copies one half at a time.
 */
function fitting(
  { kernel }: ConvSpec,
  { columns, pitch }: Division,
  { n, k, bytes }: MatrixUnit,
): { subgroups: number; goes: number } {
  const reach = kernel - 1;
  const bytesOf = (subgroups: number, goes: number) =>
    ((ACROSS + reach) * (subgroups * DOWN + reach) * pitch + k) * 2 +
    ((subgroups * ACROSS * DOWN) / goes) * (columns * n + 4) * 4;
  const choices = [2, 1].flatMap((subgroups) => [1, 2].map((goes) => ({ subgroups, goes })));
  const found = choices.find(({ subgroups, goes }) => bytesOf(subgroups, goes) <= bytes);
  return found ?? { subgroups: 1, goes: 2 };
}

/**
 * Creates a variant that uses subgroup matrices to compute convolutions of f16 maps. On hardware
 * GPUs, matrix products are several times faster than the same products computed with vectors. Two
 * kernels have no matrix version: the convolution of a concatenation (PARTS), and the one that
 * stores the final image (PACK). For these two, each invocation computes a strip of pixels, as in
 * `stripConv`.
 */
export const matrixConv = (unit: MatrixUnit): ConvVariant => {
  const { m, n, k, subgroup } = unit;
  const fragments = (ACROSS * DOWN) / m;
  return {
    only: 'f16',
    shape: stripShape({ pixels: 8, blocks: 2, weights: 'workgroup' }),
    kernel: (spec, element) => {
      const { kernel, upsample } = spec;
      const division = divide(spec, unit);
      const { columns, chunks, channels, pitch, runs, steps, last } = division;
      const { subgroups, goes } = fitting(spec, division, unit);
      const constants = {
        SIDE: kernel,
        UPSAMPLE: upsample > 1 ? 0 : 1,
        M: m,
        N: n,
        K: k,
        REST: last,
        SUBGROUP: subgroup,
        SUBGROUPS: subgroups,
        FRAGMENTS: fragments,
        COLUMNS: columns,
        CHUNKS: chunks,
        QUADS: channels / 4,
        PITCH: pitch / 4,
        RUNS: runs,
        STEPS: steps,
        GOES: goes,
        GO_FRAGMENTS: fragments / goes,
        ...STORE,
        ...extras(spec),
      };
      return {
        label: `conv${kernel}x${kernel} by matrices of ${m} x ${n} x ${k}`,
        code: `${HEAD}${assemble(element, constants, 'conv/matrix', SHADERS)}`,
        ...CONV,
      };
    },
    grid: (spec, width, height) => {
      const division = divide(spec, unit);
      const { subgroups } = fitting(spec, division, unit);
      return [Math.ceil(width / ACROSS), Math.ceil(height / (subgroups * DOWN)), division.groups];
    },
    packing: {
      name: `matrices of ${k} x ${n}`,
      arrange: (packed, spec) => arrangeMatrices(packed, spec, unit),
    },
  };
};

/**
 * Rearranges weights from `packConvWeights` into the order in which conv/matrix.wgsl reads them,
 * and pads them with zeros.
 */
function arrangeMatrices(
  packed: Float32Array<ArrayBuffer>,
  spec: ConvSpec,
  unit: MatrixUnit,
): Float32Array<ArrayBuffer> {
  const { kernel, cIn, cOut } = spec;
  const { n, k } = unit;
  const division = divide(spec, unit);
  const { columns, groups, chunks, channels, runs, length, steps, last } = division;
  const [inBlocks, outBlocks] = [blocksOf(cIn), blocksOf(cOut)];
  const weightAt = (o: number, i: number, tap: number): number =>
    o < outBlocks * 4 && i < inBlocks * 4
      ? packed[(((o >> 2) * inBlocks + (i >> 2)) * kernel ** 2 + tap) * 16 + (i & 3) * 4 + (o & 3)]
      : 0;
  const sides = [...Array<number>(steps).fill(k), ...(last > 0 ? [last] : [])];
  const rows = sides.reduce((sum, side) => sum + side, 0);
  const arranged = new Float32Array(groups * chunks * kernel * runs * rows * columns * n);
  let at = 0;
  for (let group = 0; group < groups; group++) {
    for (let chunk = 0; chunk < chunks; chunk++) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let run = 0; run < runs; run++) {
          let first = 0;
          for (const side of sides) {
            for (let column = 0; column < columns; column++) {
              for (let row = first; row < first + side; row++) {
                const kx = run + Math.floor(row / channels);
                const i = chunk * channels + (row % channels);
                for (let col = 0; col < n; col++) {
                  const o = (group * columns + column) * n + col;
                  arranged[at++] = row < length ? weightAt(o, i, ky * kernel + kx) : 0;
                }
              }
            }
            first += side;
          }
        }
      }
    }
  }
  return arranged;
}
