import { internal } from '../errors.ts';
import { LIBRARY } from './library.ts';
import { expand, type Sources } from './wgsl.ts';

/** The type of a word in a uniform. */
export type Word = 'u32' | 'f32';

/**
 * The bindings and the uniform words of a kernel, with their names in its shader.
 * contracts.test.ts compares each contract with its shader.
 *
 * All kernels follow these conventions:
 * - Binding 0 is a uniform of at most `PARAM_WORDS` words. All other bindings except those in
 *   `uniforms` are storage buffers. The buffers that are read come first, followed by those that
 *   are written.
 * - Feature maps are `Chw4c`: [ceil(C / 4)][H][W] vectors of four channels, with zeros in unused
 *   channels. Values that are vectors instead of maps are f32 and padded with zeros to a multiple
 *   of four.
 * - A dispatch can be cut into pieces along `y` if the third word of the uniform is `group_row`.
 *   For each piece, the engine sets this word to the piece's first row of workgroups.
 */
export interface Contract<
  R extends string = string,
  W extends string = string,
  P extends string = string,
> {
  readonly reads: readonly R[];
  readonly writes: readonly W[];
  /**
   * The names in `reads` that are uniform buffers instead of storage buffers. By default, there are
   * none.
   */
  readonly uniforms?: readonly R[];
  /** The uniform's words, in order. */
  readonly params: Readonly<Record<P, Word>>;
}

/** The values of the uniform's words by name, except `group_row`. */
export type Params<P extends string = string> = Readonly<Record<Exclude<P, 'group_row'>, number>>;

/**
 * Creates a contract. The contract's type contains the names of the bindings and the uniform words,
 * so the compiler reports missing and misspelled names.
 */
export const contract = <
  const R extends string,
  const W extends string,
  const P extends string = never,
>(
  reads: readonly R[],
  writes: readonly W[],
  params: Readonly<Record<P, Word>> = {} as Readonly<Record<P, Word>>,
): Contract<R, W, P> => ({ reads, writes, params });

/** The uniform words of kernels that process one feature map. */
export const MAP_WORDS = { width: 'u32', height: 'u32', group_row: 'u32' } as const;

/**
 * A kernel as plain data. Only the engine uses a GPU device, so kernels can be printed, compared
 * and tested without a device.
 */
export interface Kernel<
  R extends string = string,
  W extends string = string,
  P extends string = string,
> extends Contract<R, W, P> {
  readonly label: string;
  /**
   * The final source, which contains the constants and the expanded shader. It is also the
   * kernel's key in the pipeline cache.
   */
  readonly code: string;
}

/** Returns the types of the buffer bindings, starting at binding 1. */
export const bindingsOf = ({ reads, writes, uniforms = [] }: Contract): GPUBufferBindingType[] => [
  ...reads.map((name) => (uniforms.includes(name) ? 'uniform' : 'read-only-storage')),
  ...writes.map(() => 'storage' as const),
];

/** Returns the uniform's words, in order. */
export function paramWords<P extends string>(
  { params }: Pick<Contract<string, string, P>, 'params'>,
  values: Params<P>,
): number[] {
  const named = values as Readonly<Record<string, number>>;
  return Object.entries<Word>(params).map(([name, type]) => {
    if (name === 'group_row') return 0;
    const value = named[name];
    if (value === undefined) throw internal(`the kernel wants ${name}`);
    return type === 'f32' ? f32Bits(value) : value;
  });
}

/** The number of workgroups along `x`, `y` and `z`. */
export type Grid = readonly [x: number, y: number, z: number];

export const PARAM_WORDS = 12;

/** The index of `group_row` within a kernel's uniform. */
export const GROUP_ROW_WORD = 2;

/**
 * The storage type of feature maps and convolution weights. Sums are f32, except where
 * `ConvShape.half` (conv/conv.ts) allows f16.
 */
export type ElementType = 'f32' | 'f16';

export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = { f32: 4, f16: 2 };

/** Returns the bits of an f32 as a u32, for a uniform. */
const f32Bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0];

/** Returns how many blocks the given number of channels needs. A block holds four channels. */
export const blocksOf = (channels: number): number => Math.ceil(channels / 4);

/**
 * The constants of a shader. Integers become u32 (`8u`), values in the form `{ f32: 0.2 }` become
 * f32, and booleans become bool.
 */
export type Constants = Readonly<Record<string, number | boolean | { readonly f32: number }>>;

/** Returns the WGSL text of an f32 constant, such as `0.5f` or `8.0f`. */
function f32Literal(value: number): string {
  const text = String(Math.fround(value));
  return /[.e]/.test(text) ? `${text}f`.replace('e+', 'e') : `${text}.0f`;
}

function literal(value: Constants[string]): string {
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'object') return f32Literal(value.f32);
  if (!Number.isInteger(value) || value < 0) throw internal(`not a u32: ${value}`);
  return `${value}u`;
}

/** Returns the text that every shader starts with. It defines the types of maps and weights. */
export function prelude(element: ElementType): string {
  const short = element === 'f16' ? 'h' : 'f';
  return [
    ...(element === 'f16' ? ['enable f16;'] : []),
    `alias E = ${element};`,
    `alias E4 = vec4${short};`,
    `alias E4x4 = mat4x4${short};`,
  ].join('\n');
}

/**
 * The text that precedes a shader whose invocations exchange values in quads. The four lanes of a
 * quad take the same branches, for example because they share a row. A WGSL compiler cannot prove
 * this, so the diagnostic `subgroup_uniformity` is turned off.
 */
export const QUADS = 'enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n';

/**
 * Returns the source to compile: types and constants, followed by the expansion of shader `name`.
 * Directives in the shader, such as `#if` and `#for`, can use the integer and boolean constants.
 * @param sources the shader and all shaders that it imports, except those in `LIBRARY`
 */
export function assemble(
  element: ElementType,
  constants: Constants,
  name: string,
  sources: Sources,
): string {
  const entries = Object.entries(constants);
  const declared = entries.map(([key, value]) => `const ${key} = ${literal(value)};`);
  const defines = Object.fromEntries(
    entries.flatMap(([key, value]) => (typeof value === 'object' ? [] : [[key, value]])),
  );
  const head = [prelude(element), ...declared].join('\n');
  return `${head}\n\n${expand(name, { ...LIBRARY, ...sources }, defines)}`;
}

/**
 * Returns the grid of a kernel with workgroups of 8 x 8 invocations and `perX` x `perY` pixels per
 * invocation.
 */
export function mapGrid(width: number, height: number, blocks: number, perX = 1, perY = 1): Grid {
  return [Math.ceil(width / (8 * perX)), Math.ceil(height / (8 * perY)), blocks];
}

/**
 * Returns a grid with the depth `z` and at least `count` workgroups in each layer. If these are too
 * many for one row, they are arranged in several rows.
 */
export function rowsGrid(count: number, z: number): Grid {
  const x = Math.min(count, 65535);
  return [x, Math.ceil(count / x), z];
}

/** Concatenates arrays. */
export function concatFloats(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * The possible numbers of tile columns. A workgroup computes all channels of `tileColumns` x 8
 * pixels. Each of its `tileColumns` x `blocks` invocations computes a column of 8 pixels in one
 * block of four channels. The invocations share intermediate values through workgroup memory.
 */
export const TILE_COLUMNS = [8, 16] as const;
export type TileColumns = (typeof TILE_COLUMNS)[number];

/**
 * Returns the maximum number of tile columns for maps of `channels` channels. The tile must fit the
 * device's limits. If `limits.tileColumns` is given, the result does not exceed it. The result is
 * null if not even 8 columns fit.
 */
export function tileColumnsFor(channels: number, limits: WorkgroupLimits): TileColumns | null {
  const blocks = blocksOf(channels);
  // For each pixel of the tile, workgroup memory holds one vec4f (16 bytes) per block of channels.
  // 64 bytes are left for other variables.
  const fits = (tileColumns: TileColumns) =>
    tileColumns * blocks <= limits.invocations &&
    tileColumns * 8 * blocks * 16 + 64 <= limits.bytes;
  return fits(16) && limits.tileColumns !== 8 ? 16 : fits(8) ? 8 : null;
}

/** A device's workgroup limits. */
export interface WorkgroupLimits {
  readonly invocations: number;
  readonly bytes: number;
  /** The preferred maximum number of tile columns. The default is 16. */
  readonly tileColumns?: TileColumns | undefined;
}

/** The limits that every WebGPU device guarantees. */
export const DEFAULT_WORKGROUP_LIMITS: WorkgroupLimits = { invocations: 256, bytes: 16384 };

/**
 * Returns the grid of a kernel that computes tiles of `tileColumns` columns, for a map of `width` x
 * `height` pixels.
 */
export const tileColumnGrid = (tileColumns: TileColumns, width: number, height: number): Grid => [
  Math.ceil(width / tileColumns),
  Math.ceil(height / 8),
  1,
];
