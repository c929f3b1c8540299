import { CrispenError } from '../errors.ts';
import { DTYPE_BYTES, type DType, elementCount, type Tensor, type TensorMap } from './tensor.ts';

/** The element types by their names in a header, such as `BF16`. */
const DTYPES: ReadonlyMap<unknown, DType> = new Map(
  (Object.keys(DTYPE_BYTES) as DType[]).map((dtype) => [dtype.toUpperCase(), dtype]),
);
/**
 * The other element types of the safetensors format, with the number of bits per element. Files
 * that contain these types are valid but not supported.
 */
const UNREAD: ReadonlyMap<unknown, number> = new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['F8_E4M3', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2', 8],
  ['F8_E5M2FNUZ', 8],
  ['F8_E8M0', 8],
  ['U16', 16],
  ['U32', 32],
  ['U64', 64],
  ['C64', 64],
]);
export const METADATA = '__metadata__';
export const LENGTH_BYTES = 8;
/**
 * The maximum size of a header, several hundred times that of a typical network's header. It limits
 * the memory for parsing: a parsed header uses ten times as much memory as its text.
 */
const MAX_HEADER_BYTES = 2 ** 23;

/** The position of a tensor, in bytes from the start of the data section. */
interface Span {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a safetensors file: 8 bytes for the header's length (little-endian), a JSON header, and raw
 * data.
 *
 * The tensors are views into `bytes`, so no data is copied. The views can be unaligned. The header
 * is not trusted. The tensors must cover the data section without gaps or overlaps, as the format
 * demands.
 *
 * Source: https://github.com/huggingface/safetensors, section "Format".
 * @throws CrispenError `MODEL_CORRUPT` for a damaged file (the message describes the damage);
 *   `MODEL_UNSUPPORTED` for a header that is too long or an unsupported element type, such as
 *   F8_E4M3.
 */
export function readSafetensors(bytes: Uint8Array): {
  tensors: TensorMap;
  metadata: Record<string, string>;
} {
  const { header, data } = splitFile(bytes);
  const tensors = new Map<string, Tensor>();
  const spans: Span[] = [];
  const unread: string[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) {
      metadata = readMetadata(entry);
      continue;
    }
    const { dtype, shape, begin, end } = readEntry(name, entry, data.length);
    spans.push({ name, begin, end });
    if (dtype === null) unread.push(name);
    else tensors.set(name, { dtype, shape, bytes: data.subarray(begin, end) });
  }
  checkCoverage(spans, data.length);
  if (unread.length > 0) throw unsupported(header as Header, unread);
  return { tensors, metadata };
}

type Header = Readonly<Record<string, { readonly dtype: string }>>;

function unsupported(header: Header, names: readonly string[]): CrispenError {
  const types = [...new Set(names.map((name) => header[name].dtype))].join(', ');
  const others = names.length > 1 ? ` and ${names.length - 1} more` : '';
  return new CrispenError(
    'MODEL_UNSUPPORTED',
    `The weight file is valid, but Crispen does not read elements of type ${types}: tensor ${quote(names[0])}${others}.`,
    {
      hint: 'Convert the weights to f16 or f32, or look for a version of the file with these types.',
    },
  );
}

function splitFile(bytes: Uint8Array): { header: object; data: Uint8Array } {
  if (bytes.length < LENGTH_BYTES) {
    throw corrupt(`it has ${bytes.length} bytes, too few for a header`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(bytes.length - LENGTH_BYTES)) {
    throw corrupt(`it claims a header of ${length} bytes, but has only ${bytes.length} bytes`);
  }
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `The weight file describes more tensors than any known network: its header has ${length} bytes.`,
      { hint: `Crispen reads headers of up to ${MAX_HEADER_BYTES} bytes.` },
    );
  }
  const dataStart = LENGTH_BYTES + Number(length);
  return {
    header: parseHeader(bytes.subarray(LENGTH_BYTES, dataStart)),
    data: bytes.subarray(dataStart),
  };
}

function parseHeader(bytes: Uint8Array): object {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw corrupt('its header is not JSON in UTF-8', cause);
  }
  if (!text.startsWith('{') || !isObject(header)) throw corrupt('its header is not a JSON object');
  const twice = findDuplicateKey(text);
  if (twice !== null) throw corrupt(`its header has the key ${quote(twice)} twice`);
  return header;
}

/**
 * Returns the first key that occurs twice in one object of `text`. The text must be valid JSON.
 * JSON.parse silently keeps the last value of a duplicate key.
 */
function findDuplicateKey(text: string): string | null {
  const colon = /\s*:/y;
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '{') open.push(new Set());
    else if (text[i] === '}') open.pop();
    else if (text[i] === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      colon.lastIndex = i + 1;
      if (!colon.test(text)) continue;
      // The key is parsed, because "a" and "\u0061" are the same key.
      const key: string = JSON.parse(text.slice(start, i + 1));
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return null;
}

function readMetadata(entry: unknown): Record<string, string> {
  if (!isObject(entry)) throw corrupt(`${METADATA} is not an object`);
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') throw corrupt(`${METADATA}.${quote(key)} is not a string`);
  }
  return entry as Record<string, string>;
}

function readEntry(
  name: string,
  entry: unknown,
  dataLength: number,
): { dtype: DType | null; shape: readonly number[]; begin: number; end: number } {
  const tensor = `tensor ${quote(name)}`;
  if (!isObject(entry)) throw corrupt(`the description of ${tensor} is not an object`);
  const { dtype: dtypeName, shape, data_offsets: offsets } = entry;
  const dtype = DTYPES.get(dtypeName) ?? null;
  const bits = dtype === null ? UNREAD.get(dtypeName) : 8 * DTYPE_BYTES[dtype];
  if (bits === undefined) {
    throw corrupt(`${tensor} has the unknown element type ${quote(dtypeName)}`);
  }
  if (!isSizeArray(shape)) throw corrupt(`${tensor} has no valid shape: ${quote(shape)}`);
  if (!isSizeArray(offsets) || offsets.length !== 2) {
    throw corrupt(`${tensor} has no valid data_offsets: ${quote(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) {
    throw corrupt(`${tensor} claims bytes ${begin} to ${end} of ${dataLength}`);
  }
  // The product can be inexact above 2^53. The tensor is rejected anyway, because no file is that
  // long.
  const expected = (elementCount(shape) * bits) / 8;
  if (end - begin !== expected) {
    throw corrupt(
      `${tensor} of ${dtypeName} ${quote(shape)} takes ${expected} bytes, not ${end - begin}`,
    );
  }
  return { dtype, shape, begin, end };
}

/** Checks that the tensors cover the data up to the end of the file without gaps or overlaps. */
function checkCoverage(spans: Span[], dataLength: number): void {
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const { name, begin, end } of spans) {
    if (begin !== at) {
      const what = begin < at ? 'overlaps the tensor before it' : `leaves a hole before it`;
      throw corrupt(`tensor ${quote(name)} at byte ${begin} ${what}, which ends at ${at}`);
    }
    at = end;
  }
  if (at !== dataLength) throw corrupt(`its tensors end at byte ${at}, its data at ${dataLength}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizeArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** Converts a header value to text for a message, and truncates long text. */
function quote(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? 'nothing';
  } catch {
    return 'a deeply nested value';
  }
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function corrupt(what: string, cause?: unknown): CrispenError {
  return new CrispenError('MODEL_CORRUPT', `The weight file is damaged: ${what}.`, {
    hint: 'Download it again; it must be a safetensors file of f64, f32, f16, bf16 or whole numbers.',
    cause,
  });
}
