import { taskOfFile } from '../catalog/task.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import { parameterCount } from '../graph/analysis.ts';
import { type Detection, detect, recognise } from '../networks/detect.ts';
import { halve } from '../weights/halve.ts';
import { readWeights, sniff } from '../weights/read.ts';
import { writeSafetensors } from '../weights/writeSafetensors.ts';
import { type Digest, sha256Of } from './models.ts';
import { ADDED_PREFIX, type AddedModel, type AddOptions } from './protocol.ts';
import { readAll } from './reading.ts';
import type { ModelStore } from './store.ts';

export { request } from './reading.ts';
export { ModelStore } from './store.ts';

/** The size of the largest accepted file, in bytes. Larger files cannot be read into one buffer. */
const MAX_BYTES = 2 ** 31 - 1;
/**
 * The size of the largest file that is accepted from a URL, in bytes. It is about three times the
 * size of the largest known weight file.
 */
const MAX_FETCHED_BYTES = 2 ** 29;

interface AddParts {
  readonly store: ModelStore;
  /** Undefined in insecure contexts. */
  readonly digest: Digest | undefined;
  readonly signal: AbortSignal;
  /** Called with the fraction of the file that has been read. */
  readonly onProgress: (fraction: number) => void;
}

/**
 * Reads a weight file, recognises its network and stores the file. The tensors are views of the
 * file's bytes, so memory holds only one copy of the file.
 * @throws CrispenError `MODEL_UNSUPPORTED`; `MODEL_CORRUPT` for a damaged file or bytes that do not
 *   match `integrity`; `INSECURE_CONTEXT` if `integrity` cannot be checked; `FETCH_FAILED`,
 *   `ABORTED`
 */
export async function addModel(
  file: Blob | Response,
  name: string,
  options: AddOptions,
  { store, digest, signal, onProgress }: AddParts,
): Promise<AddedModel> {
  const bytes = await readFile(file, signal, onProgress);
  if (options.integrity !== undefined) await checkIntegrity(bytes, options.integrity, digest);
  const { format, tensors } = await readWeights(bytes, recognise);
  const found = detect(tensors, { ...options, name });
  const task = taskOfFile(found.scale, name, options.task);
  throwIfAborted(signal);
  const hash = digest ? await sha256Of(digest, bytes) : '';
  const { architecture, scale, scaleSource, inputRange, assumptions, network } = found;
  const key = hash === '' ? Date.now().toString(36) : hash.slice(0, 16);
  const facts: AddedModel = {
    // The same file with a different scale or input range is a different model.
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
  return store.write(facts, bytes, file instanceof Response);
}

/** Reads the network and the weights of an added model from the store. */
export async function loadAdded(store: ModelStore, id: string): Promise<Detection> {
  const { name, scale, inputRange } = await store.find(id);
  const { tensors } = await readWeights(await store.read(id), recognise);
  return detect(tensors, { name, scale, inputRange });
}

/**
 * Writes an added model's tensors to a safetensors file. If a PyTorch file contains the state
 * dictionary inside other dictionaries, only the tensors of the state dictionary are written. If
 * `f16` is true, floating-point tensors are converted to f16. All other values stay the same.
 */
export async function exportAdded(store: ModelStore, id: string, f16: boolean): Promise<Blob> {
  const { tensors, metadata } = await readWeights(await store.read(id), recognise);
  const file = writeSafetensors(f16 ? halve(tensors) : tensors, metadata);
  return new Blob([file as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' });
}

/**
 * Checks bytes against hashes in the Subresource Integrity format. At least one hash of the
 * strongest listed algorithm must match. Source: W3C, Subresource Integrity, section 3.3.
 */
async function checkIntegrity(
  bytes: Uint8Array<ArrayBuffer>,
  integrity: string,
  digest: Digest | undefined,
): Promise<void> {
  if (!digest) {
    throw new CrispenError('INSECURE_CONTEXT', 'The integrity of a file cannot be checked here.', {
      hint: 'Browsers compute hashes only for https pages and localhost. Open the page there.',
    });
  }
  const hashes = integrity.trim().split(/\s+/).sort();
  const [algorithm] = (hashes.at(-1) as string).split('-');
  const found = await digest(algorithm.replace('sha', 'SHA-'), bytes);
  const text = `${algorithm}-${btoa(String.fromCharCode(...new Uint8Array(found)))}`;
  if (hashes.includes(text)) return;
  throw new CrispenError('MODEL_CORRUPT', 'The weight file is not the one that was asked for.', {
    hint: `Its hash is ${text}, which is not in its integrity.`,
  });
}

/** @throws CrispenError `MODEL_UNSUPPORTED`, `FETCH_FAILED`, `ABORTED` */
async function readFile(
  file: Blob | Response,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const judge = (start: Uint8Array) => {
    sniff(start);
    return file instanceof Blob ? MAX_BYTES : MAX_FETCHED_BYTES;
  };
  const tooLarge = (limit: number) =>
    new CrispenError('MODEL_UNSUPPORTED', `The weight file has more than ${limit} bytes.`, {
      hint: 'Crispen reads weight files of up to 2 GB, and of up to 512 MB from an address.',
    });
  try {
    return await readAll(file, { signal, judge, tooLarge, onProgress });
  } catch (cause) {
    if (cause instanceof CrispenError) throw cause;
    throw new CrispenError('FETCH_FAILED', 'The weight file could not be read completely.', {
      hint: 'It may have been moved or changed, or the connection failed. Try again.',
      cause,
    });
  }
}
