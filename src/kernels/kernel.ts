import { internal } from '../errors.ts';
import { expand, type Sources } from './wgsl.ts';

/** The type of a word in a uniform. */
export type Word = 'u32' | 'f32';

/**
 * What a kernel binds, by the names in its shader. contracts.test.ts compares it with the shader.
 *
 * Conventions of all kernels:
 * - binding 0 is a uniform of at most `PARAM_WORDS` words; all others except `uniforms` are storage
 *   buffers: first the buffers that are read, then the buffers that are written;
 * - feature maps are `Chw4c`: [ceil(C / 4)][H][W] vectors of four channels, absent channels zero;
 *   vectors are f32, padded with zeros to a multiple of four;
 * - the third word of the uniform is `group_row`: a dispatch may be cut into pieces along y, and
 *   `group_row` is a piece's first row of workgroups. The engine fills it in.
 */
export interface Contract<
  R extends string = string,
  W extends string = string,
  P extends string = string,
> {
  readonly reads: readonly R[];
  readonly writes: readonly W[];
  /** The names in `reads` that are uniform buffers, not storage buffers; none by default. */
  readonly uniforms?: readonly R[];
  /** Words of the uniform, in order. */
  readonly params: Readonly<Record<P, Word>>;
}

/** Words of the uniform by name, except `group_row`. */
export type Params<P extends string = string> = Readonly<Record<Exclude<P, 'group_row'>, number>>;

/** Checks the types of a contract and returns it. */
export const contract = <
  const R extends string,
  const W extends string,
  const P extends string = never,
>(
  reads: readonly R[],
  writes: readonly W[],
  params: Readonly<Record<P, Word>> = {} as Readonly<Record<P, Word>>,
): Contract<R, W, P> => ({ reads, writes, params });

/** Uniform words of kernels that process one feature map. */
export const MAP_WORDS = { width: 'u32', height: 'u32', group_row: 'u32' } as const;

/**
 * A kernel as plain data. Only the engine uses a GPU device, so kernels can be printed, compared
 * and tested without one.
 */
export interface Kernel<
  R extends string = string,
  W extends string = string,
  P extends string = string,
> extends Contract<R, W, P> {
  readonly label: string;
  /** The final source: constants and the expanded shader. It is the key of the pipeline cache. */
  readonly code: string;
}

/** The types of the buffer bindings, from binding 1 on. */
export const bindingsOf = ({ reads, writes, uniforms = [] }: Contract): GPUBufferBindingType[] => [
  ...reads.map((name) => (uniforms.includes(name) ? 'uniform' : 'read-only-storage')),
  ...writes.map(() => 'storage' as const),
];

/** The uniform's words, in order. */
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

/** Workgroups in x, y, z. */
export type Grid = readonly [x: number, y: number, z: number];

export const PARAM_WORDS = 12;

/** Index of `group_row` within a kernel's uniform. */
export const GROUP_ROW_WORD = 2;

/** Storage type of feature maps and convolution weights. Sums are always f32. */
export type ElementType = 'f32' | 'f16';

export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = { f32: 4, f16: 2 };

/** The u32 with the bits of an f32, for a uniform. */
const f32Bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0];

/** Number of blocks of four channels that hold `channels`. */
export const blocksOf = (channels: number): number => Math.ceil(channels / 4);

/** Constants of a prelude: integers become u32 (`8u`), other numbers f32, booleans bool. */
export type Constants = Readonly<Record<string, number | boolean | { readonly f32: number }>>;

/** WGSL text of an f32 constant. WGSL needs a decimal point or an exponent. */
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

/** The beginning of every shader: the types of maps and weights. */
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
 * The source to compile: types and constants, then the expansion of shader `name`. Its directives
 * see the constants that are integers or booleans.
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
  return `${head}\n\n${expand(name, sources, defines)}`;
}

/** Grid of a kernel with workgroups of 8 x 8 and `perX` x `perY` pixels per invocation. */
export function mapGrid(width: number, height: number, blocks: number, perX = 1, perY = 1): Grid {
  return [Math.ceil(width / (8 * perX)), Math.ceil(height / (8 * perY)), blocks];
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
 * How many columns a tile may have. A workgroup computes all channels of tileColumns x 8 pixels.
 * Its tileColumns x blocks invocations exchange a map through workgroup memory.
 */
export const TILE_COLUMNS = [8, 16] as const;
export type TileColumns = (typeof TILE_COLUMNS)[number];

/**
 * The most columns of a tile for maps of `channels` channels that fit the device's limits and do
 * not exceed its preference; null if not even 8 columns fit.
 */
export function tileColumnsFor(channels: number, limits: WorkgroupLimits): TileColumns | null {
  const blocks = blocksOf(channels);
  // Workgroup memory holds the exchange and a few words of other state.
  const fits = (tileColumns: TileColumns) =>
    tileColumns * blocks <= limits.invocations &&
    tileColumns * 8 * blocks * 16 + 64 <= limits.bytes;
  return fits(16) && limits.tileColumns !== 8 ? 16 : fits(8) ? 8 : null;
}

/** A device's limits for a workgroup. */
export interface WorkgroupLimits {
  readonly invocations: number;
  readonly bytes: number;
  /** The preferred maximum number of columns of a tile; 16 by default. */
  readonly tileColumns?: TileColumns | undefined;
}

/** The limits that every WebGPU device guarantees. */
export const DEFAULT_WORKGROUP_LIMITS: WorkgroupLimits = { invocations: 256, bytes: 16384 };

/** Grid of a kernel that computes such tiles, for a map of `width` x `height` pixels. */
export const tileColumnGrid = (tileColumns: TileColumns, width: number, height: number): Grid => [
  Math.ceil(width / tileColumns),
  Math.ceil(height / 8),
  1,
];
