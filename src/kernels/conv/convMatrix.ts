import leaveSource from '../../shaders/conv/leave.wgsl?raw';
import matrixSource from '../../shaders/conv/matrix.wgsl?raw';
import storeSource from '../../shaders/conv/store.wgsl?raw';
import activationSource from '../../shaders/lib/activation.wgsl?raw';
import nanSource from '../../shaders/lib/nan.wgsl?raw';
import { assemble, blocksOf } from '../kernel.ts';
import type { Sources } from '../wgsl.ts';
import { CONV, type ConvSpec, type ConvVariant, extras, STORE } from './conv.ts';
import { stripConv } from './convStrips.ts';

const SHADERS: Sources = {
  'conv/leave': leaveSource,
  'lib/nan': nanSource,
  'conv/matrix': matrixSource,
  'conv/store': storeSource,
  'lib/activation': activationSource,
};

/** The matrices that a subgroup multiplies: [m x k] by [k x n], both f16, summed in f32. */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** A smaller k with the same m and n, for what k leaves over; 0 if none is offered. */
  readonly rest: number;
  /** Invocations of a subgroup; the size is fixed. */
  readonly subgroup: number;
  /** Bytes of workgroup memory that kernels may use. */
  readonly bytes: number;
}

const HEAD = `enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);
`;
/** Pixels that a subgroup computes: 16 x 4. */
const ACROSS = 16;
const DOWN = 4;
/** The most columns of n output channels per workgroup. More would not fit into registers. */
const COLUMNS = 5;
/** The most input channels that are in workgroup memory at once. */
const CHANNELS = 40;

/** Whether conv/matrix.wgsl supports the unit. Rows of matrices begin at multiples of 16 bytes. */
export const fitsMatrix = ({ m, n, k }: Pick<MatrixUnit, 'm' | 'n' | 'k'>): boolean =>
  ACROSS % m === 0 && n % 8 === 0 && (k === 8 || k === 16);

/** How a layer is divided. */
interface Division {
  /** Columns of n output channels per workgroup, and workgroups that share the columns. */
  readonly columns: number;
  readonly groups: number;
  /** Chunks of input channels, of `channels` each: a multiple of 8. */
  readonly chunks: number;
  readonly channels: number;
  /** Values from one pixel to the next in workgroup memory. */
  readonly pitch: number;
  /** Runs of consecutive values in a row of taps, and their length. */
  readonly runs: number;
  readonly length: number;
  /** Matrices of k values in a run. One of `last` values follows, unless `last` is 0. */
  readonly steps: number;
  readonly last: number;
}

function divide(
  { kernel, cIn, cOut }: Pick<ConvSpec, 'kernel' | 'cIn' | 'cOut'>,
  { n, k, rest }: MatrixUnit,
): Division {
  // Divides the blocks evenly among workgroups and chunks.
  const all = Math.ceil((blocksOf(cOut) * 4) / n);
  const groups = Math.ceil(all / COLUMNS);
  const padded = Math.ceil(cIn / 8) * 8;
  const chunks = Math.ceil(padded / CHANNELS);
  const channels = Math.ceil(padded / chunks / 8) * 8;
  // Pixels are an odd multiple of 16 bytes apart. Without padding, a row of taps is one run.
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

/** The largest workgroup that fits: its subgroups, and the passes (`goes`) that store sums. */
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
 * Convolutions with subgroup matrices, for f16 maps. Real GPUs multiply matrices several times
 * faster than vectors. Kernels without matrices (PARTS, PACK) compute strips.
 */
export const matrixConv = (unit: MatrixUnit): ConvVariant => {
  const { m, n, k, subgroup } = unit;
  const fragments = (ACROSS * DOWN) / m;
  return {
    only: 'f16',
    ...pick(stripConv({ pixels: 8, blocks: 2, weights: 'workgroup' })),
    kernel: (spec, element) => {
      const { kernel, upsample } = spec;
      const { columns, chunks, channels, pitch, runs, steps, last } = divide(spec, unit);
      const { subgroups, goes } = fitting(spec, divide(spec, unit), unit);
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

const pick = ({ shape }: ConvVariant): Pick<ConvVariant, 'shape'> => (shape ? { shape } : {});

/** Puts the weights of `packConvWeights` into the order of conv/matrix.wgsl, padded with zeros. */
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
