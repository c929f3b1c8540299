import { taskOfFile } from '../catalog/task.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import { parameterCount } from '../graph/analysis.ts';
import { type Detection, detect, recognise } from '../networks/detect.ts';
import { halve } from '../weights/halve.ts';
import { readWeights } from '../weights/read.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { hexadecimal } from './models.ts';
import { ADDED_PREFIX, type AddedModel, type AddOptions } from './protocol.ts';
import type { ModelStore } from './store.ts';

export { ModelStore } from './store.ts';

/** Larger files are not treated as weights, and could not be read in one piece. */
const MAX_BYTES = 2 ** 31 - 1;

interface AddParts {
  readonly store: ModelStore;
  /** Undefined in insecure contexts. */
  readonly sha256: ((bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>) | undefined;
  readonly signal: AbortSignal;
  /** Fraction of the file that has been read. */
  readonly onProgress: (fraction: number) => void;
}

/**
 * Reads a weight file, recognises it and stores it. The file is in memory once: its tensors are
 * views of it.
 * @throws CrispenError `MODEL_UNSUPPORTED`, `MODEL_CORRUPT`, `ABORTED`
 */
export async function addModel(
  file: Blob | Response,
  name: string,
  options: AddOptions,
  { store, sha256, signal, onProgress }: AddParts,
): Promise<AddedModel> {
  const bytes = await readAll(file, signal, onProgress);
  const { format, tensors } = await readWeights(bytes, recognise);
  const found = detect(tensors, { ...options, name });
  const task = taskOfFile(found.scale, name, options.task);
  throwIfAborted(signal);
  const hash = sha256 ? hexadecimal(await sha256(bytes)) : '';
  const { architecture, scale, scaleSource, inputRange, assumptions, network } = found;
  const key = hash === '' ? `${Date.now().toString(36)}` : hash.slice(0, 16);
  const facts: AddedModel = {
    // The same file at another scale or range is another model.
    id: `${ADDED_PREFIX}${key}-x${scale}${options.inputRange === undefined ? '' : `-r${inputRange}`}`,
    name: name.replace(/\.(pth|pt|ckpt|safetensors)$/i, ''),
    architecture,
    task,
    scale,
    scaleSource,
    inputRange,
    assumptions,
    format,
    parameters: parameterCount(network.graph),
    bytes: bytes.length,
    sha256: hash,
    added: Date.now(),
    kept: false,
  };
  throwIfAborted(signal);
  return store.write(facts, bytes);
}

/** Network and weights of an added model, read from the store. */
export async function loadAdded(store: ModelStore, id: string): Promise<Detection> {
  const { name, scale, inputRange } = await store.find(id);
  const { tensors } = await readWeights(await store.read(id), recognise);
  return detect(tensors, { name, scale, inputRange });
}

/** The model's tensors as safetensors, unwrapped but otherwise unchanged. */
export async function exportAdded(store: ModelStore, id: string, f16: boolean): Promise<Blob> {
  const { tensors, metadata } = await readWeights(await store.read(id), recognise);
  const file = writeSafetensors(f16 ? halve(tensors) : tensors, metadata);
  return new Blob([file as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' });
}

/**
 * All bytes of a file or response in one buffer of their length, so a file is in memory once. The
 * buffer only has to grow if a response does not give its length, or gives the length of its
 * compressed form.
 */
async function readAll(
  source: Blob | Response,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const stated =
    source instanceof Blob ? source.size : Number(source.headers.get('content-length') ?? 0);
  checkSize(stated);
  let bytes = new Uint8Array(stated);
  let length = 0;
  const stream = source instanceof Blob ? source.stream() : source.body;
  const reader = stream?.getReader();
  try {
    while (reader) {
      throwIfAborted(signal);
      const { done, value } = await reader.read();
      if (done) break;
      if (length + value.length > bytes.length) {
        checkSize(length + value.length);
        const larger = new Uint8Array(Math.max(length + value.length, 2 * bytes.length, 2 ** 20));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(value, length);
      length += value.length;
      if (stated > 0) onProgress(Math.min(1, length / stated));
    }
  } catch (cause) {
    await reader?.cancel().catch(() => {});
    throwIfAborted(signal);
    if (cause instanceof CrispenError) throw cause;
    throw new CrispenError('FETCH_FAILED', 'The weight file could not be read completely.', {
      hint: 'It may have been moved or changed, or the connection failed. Try again.',
      cause,
    });
  }
  return bytes.subarray(0, length);
}

function checkSize(bytes: number): void {
  if (bytes <= MAX_BYTES) return;
  throw new CrispenError('MODEL_UNSUPPORTED', `The file has ${bytes} bytes or more.`, {
    hint: 'Crispen reads weight files of up to 2 GB.',
  });
}
