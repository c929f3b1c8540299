/**
 * A kernel as plain data. Only the engine touches a GPU device; what stands here can be printed,
 * compared and tested without one.
 *
 * Conventions shared by all kernels:
 * - binding 0 is a uniform of at most `PARAM_WORDS` u32, the others are storage buffers in the order
 *   of `bindings`;
 * - feature maps are `Chw4c`: [ceil(C / 4)][H][W] vectors of four channels, absent channels zero;
 *   vectors are f32, padded with zeros to a multiple of four;
 * - the third u32 of the uniform is `group_row`: a dispatch may be cut into pieces along y, each of
 *   which adds its first row of workgroups. The engine fills it in.
 */
export interface Kernel {
  readonly label: string;
  /** The final source: constants, shared snippets, the static shader. Pipelines are cached by it. */
  readonly code: string;
  /** Access of the storage buffers, from binding 1 on. */
  readonly bindings: readonly ('read' | 'write')[];
}

/** Workgroups in x, y, z. */
export type Grid = readonly [x: number, y: number, z: number];

export const PARAM_WORDS = 12;

/** Index of `group_row` within a kernel's uniform. */
export const GROUP_ROW_WORD = 2;

/** Storage type of feature maps and convolution weights; sums are always f32. */
export type ElementType = 'f32' | 'f16';

export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = { f32: 4, f16: 2 };

/** Blocks of four channels that `channels` need. */
export const blocksOf = (channels: number): number => Math.ceil(channels / 4);

/** Constants of a prelude: integers become u32 (`8u`), other numbers f32, booleans bool. */
export type Constants = Readonly<Record<string, number | boolean | { readonly f32: number }>>;

/** WGSL text of an f32 constant; WGSL wants a decimal point or an exponent. */
function f32Literal(value: number): string {
  const text = String(Math.fround(value));
  return /[.e]/.test(text) ? `${text}f`.replace('e+', 'e') : `${text}.0f`;
}

function literal(value: Constants[string]): string {
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'object') return f32Literal(value.f32);
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`not a u32: ${value}`);
  return `${value}u`;
}

/** Joins constants, shared snippets and a static shader to the source that is compiled. */
export function assemble(
  element: ElementType,
  constants: Constants,
  ...parts: readonly string[]
): string {
  const short = element === 'f16' ? 'h' : 'f';
  const head = [
    ...(element === 'f16' ? ['enable f16;'] : []),
    `alias E = ${element};`,
    `alias E4 = vec4${short};`,
    `alias E4x4 = mat4x4${short};`,
    ...Object.entries(constants).map(([name, value]) => `const ${name} = ${literal(value)};`),
  ];
  return `${head.join('\n')}\n\n${parts.join('\n')}`;
}

/** Grid of a kernel whose workgroups of 8 x 8 cover `perX` x `perY` pixels per invocation. */
export function mapGrid(width: number, height: number, blocks: number, perX = 1, perY = 1): Grid {
  return [Math.ceil(width / (8 * perX)), Math.ceil(height / (8 * perY)), blocks];
}

/** The arrays one after the other. */
export function concatFloats(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
