import { CrispenError, throwIfAborted } from '../errors.ts';
import { parameterCount } from '../graph/analysis.ts';
import { type Detection, detect, recognise } from '../models/index.ts';
import { halve } from '../weights/halve.ts';
import { readWeights } from '../weights/read.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { ADDED_PREFIX, type AddedModel, type AddOptions } from './protocol.ts';
import type { ModelStore } from './store.ts';

/** Files above this are taken for something else than weights, and could not be read in one piece. */
const MAX_BYTES = 2 ** 31 - 1;

interface AddParts {
  readonly store: ModelStore;
  /** Undefined in insecure contexts. */
  readonly sha256: ((bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>) | undefined;
  readonly signal: AbortSignal;
  /** Fraction of the file that is read. */
  readonly onProgress: (fraction: number) => void;
}

/**
 * Reads a weight file, finds out what it is and stores it. The file is held once: its tensors are
 * views of it.
 * @throws CrispenError `MODEL_UNSUPPORTED`, `MODEL_CORRUPT`, `ABORTED`
 */
export async function addModel(
  file: Blob,
  name: string,
  options: AddOptions,
  { store, sha256, signal, onProgress }: AddParts,
): Promise<AddedModel> {
  const bytes = await readBlob(file, signal, onProgress);
  const { format, tensors } = await readWeights(bytes, recognise);
  const found = detect(tensors, { ...options, name });
  throwIfAborted(signal);
  const hash = sha256 ? hexadecimal(await sha256(bytes)) : '';
  const { architecture, scale, scaleSource, inputRange, assumptions, network } = found;
  const key = hash === '' ? `${Date.now().toString(36)}` : hash.slice(0, 16);
  const facts: AddedModel = {
    // The same file at another scale or range is another model.
    id: `${ADDED_PREFIX}${key}-x${scale}${options.inputRange === undefined ? '' : `-r${inputRange}`}`,
    name: name.replace(/\.(pth|pt|ckpt|safetensors)$/i, ''),
    ...{ architecture, scale, scaleSource, inputRange, assumptions, format },
    parameters: parameterCount(network.graph),
    ...{ bytes: bytes.length, sha256: hash, added: Date.now(), kept: false },
  };
  throwIfAborted(signal);
  return store.write(facts, bytes);
}

/** Network and weights of an added model, read anew from the store. */
export async function loadAdded(store: ModelStore, id: string): Promise<Detection> {
  const { name, scale, inputRange } = await store.find(id);
  const { tensors } = await readWeights(await store.read(id), recognise);
  return detect(tensors, { name, scale, inputRange });
}

/** The model's tensors as safetensors: unwrapped, otherwise as they were given. */
export async function exportAdded(store: ModelStore, id: string, f16: boolean): Promise<Blob> {
  const { tensors, metadata } = await readWeights(await store.read(id), recognise);
  const file = writeSafetensors(f16 ? halve(tensors) : tensors, metadata);
  return new Blob([file as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' });
}

async function readBlob(
  file: Blob,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  if (file.size > MAX_BYTES) {
    throw new CrispenError('MODEL_UNSUPPORTED', `The file has ${file.size} bytes.`, {
      hint: 'Crispen reads weight files of up to 2 GB.',
    });
  }
  const bytes = new Uint8Array(file.size);
  const reader = file.stream().getReader();
  let length = 0;
  try {
    for (;;) {
      throwIfAborted(signal);
      const { done, value } = await reader.read();
      if (done) break;
      bytes.set(value, length);
      length += value.length;
      onProgress(length / bytes.length);
    }
  } catch (cause) {
    throwIfAborted(signal);
    throw new CrispenError('FETCH_FAILED', 'The weight file could not be read to its end.', {
      hint: 'It may have been moved or changed meanwhile: choose it again.',
      cause,
    });
  }
  return bytes;
}

function hexadecimal(buffer: ArrayBuffer): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
