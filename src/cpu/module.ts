import { CrispenError } from '../errors.ts';
import { PROBES } from './generated/probes.ts';
import type { RecordName } from './records.ts';

/**
 * The names of the WebAssembly module's functions. Each function has the name of the record type
 * that it processes. The types `segment` and `part` have no function, because they only describe
 * the inputs of convolutions.
 */
export type RowFunction = Exclude<RecordName, 'segment' | 'part'>;

/**
 * Each function computes the rows `from` to `to - 1` of its output. It reads its other parameters
 * from the record at the address `record`.
 */
export type Functions = Readonly<
  Record<RowFunction, (record: number, from: number, to: number) => void>
>;

export type VariantName = keyof typeof PROBES;

/**
 * Each function loads one variant of the module. The fastest variant is first. The imports are
 * dynamic, so a browser downloads only the variant that it runs.
 */
const LOADERS: Readonly<Record<VariantName, () => Promise<{ readonly MODULE: string }>>> = {
  relaxed: () => import('./generated/relaxed.ts'),
  simd: () => import('./generated/simd.ts'),
};

/** The maximum size of a module's memory: 4 GiB, given in pages of 64 KiB. */
const MAX_PAGES = 65536;

/**
 * Returns the fastest variant that this runtime supports, or null if it has no WebAssembly SIMD.
 * Browsers added SIMD between 2021 and 2023.
 */
export function supportedVariant(): VariantName | null {
  if (typeof WebAssembly === 'undefined') return null;
  return (Object.keys(LOADERS) as VariantName[]).find(hasVariant) ?? null;
}

const hasVariant = (name: VariantName): boolean => WebAssembly.validate(bytesOf(PROBES[name]));

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/**
 * Compiles the module, or returns the module that an earlier call compiled. Runtimes optimise a
 * module's code while it runs, so a model that is loaded later starts with optimised code.
 * @param shared whether threads share the module's memory
 * @throws CrispenError `NO_WASM` if the runtime has no SIMD, or if the page's Content Security
 *   Policy forbids WebAssembly.
 */
export async function compileModule(
  variant = supportedVariant(),
  shared = false,
): Promise<WebAssembly.Module> {
  if (variant === null || !hasVariant(variant)) {
    throw new CrispenError('NO_WASM', 'This browser has no WebAssembly SIMD.', {
      hint: 'Update the browser, or use one with WebGPU.',
    });
  }
  const key = `${variant} ${shared}`;
  const compiling = compiled.get(key) ?? compile(variant, shared);
  compiled.set(key, compiling);
  try {
    return await compiling;
  } catch (cause) {
    compiled.delete(key);
    throw new CrispenError('NO_WASM', 'This page does not allow WebAssembly.', {
      hint: "Add 'wasm-unsafe-eval' to script-src in the page's Content-Security-Policy.",
      cause,
    });
  }
}

async function compile(variant: VariantName, shared: boolean): Promise<WebAssembly.Module> {
  const { MODULE } = await LOADERS[variant]();
  const digits = shared ? MODULE.replace(MEMORY_IMPORT, SHARED_IMPORT) : MODULE;
  return WebAssembly.compile(bytesOf(digits));
}

/** Creates a memory of at least `bytes` bytes. @throws CrispenError `OUT_OF_MEMORY` */
export function makeMemory(bytes: number, shared = false): WebAssembly.Memory {
  const initial = pagesOf(bytes);
  // 32-bit runtimes reserve a shared memory's maximum size immediately and can refuse 4 GiB.
  for (let maximum = MAX_PAGES; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial, maximum, shared });
    } catch (cause) {
      if (!shared || maximum / 2 < initial) throw outOfMemory(bytes, cause);
    }
  }
}

/**
 * Grows a memory to at least `bytes` bytes. Views of its old buffer become invalid.
 * @throws CrispenError `OUT_OF_MEMORY`
 */
export function growMemory(memory: WebAssembly.Memory, bytes: number): void {
  const missing = pagesOf(bytes) - memory.buffer.byteLength / 65536;
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw outOfMemory(bytes, cause);
  }
}

export async function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<Functions> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  return exports as unknown as Functions;
}

const pagesOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / 65536));

const outOfMemory = (bytes: number, cause: unknown): CrispenError =>
  new CrispenError(
    'OUT_OF_MEMORY',
    `The runtime could not allocate ${Math.ceil(bytes / 2 ** 20)} MiB of memory.`,
    { hint: 'Set a smaller memory budget or enlarge a smaller image.', cause },
  );

/**
 * The bytes in the module that import its memory, in hexadecimal: the name "memory", a byte for the
 * kind of import (2 for a memory), and a byte with flags. The flags byte is 1 if the memory has a
 * maximum size and is not shared.
 */
const MEMORY_IMPORT = '6d656d6f72790201';
/**
 * The bytes that replace `MEMORY_IMPORT` if threads share the memory. Only the flags byte differs.
 */
const SHARED_IMPORT = '6d656d6f72790203';

const bytesOf = (digits: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
