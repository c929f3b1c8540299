import { CrispenError } from '../errors.ts';
import { checkValue, type Rule } from '../options.ts';
import { readSafetensors } from './safetensors.ts';
import type { TensorMap } from './tensor.ts';
import { openArchive } from './torch/archive.ts';
import { memoryLimits } from './torch/checkpoint.ts';
import { openLegacy } from './torch/legacy.ts';
import { loadTensors } from './torch/storage.ts';
import { type Recognise, stripPrefixes, unwrap } from './torch/unwrap.ts';

const BYTES: Rule = {
  kind: 'bytes',
  wants: 'a Uint8Array, such as new Uint8Array(await response.arrayBuffer())',
  // This test also accepts Node's Buffer and arrays from another realm.
  accepts: (value) => Object.prototype.toString.call(value) === '[object Uint8Array]',
};

export type WeightFormat = 'safetensors' | 'torch-zip' | 'torch-legacy';

export interface WeightFile {
  readonly format: WeightFormat;
  readonly tensors: TensorMap;
  /**
   * The prefix that is removed from the name of every tensor in the file, such as `params_ema/` or
   * `state_dict/module.`. It is often empty.
   */
  readonly wrapper: string;
  /** The `__metadata__` entry of a safetensors header; empty for other formats. */
  readonly metadata: Record<string, string>;
}

/**
 * Reads a weight file. The first bytes determine the format: safetensors, or a PyTorch checkpoint
 * (zip or legacy). The content of a checkpoint is never executed.
 *
 * To save memory, a tensor whose elements are contiguous and row-major in `bytes` is a view into
 * `bytes`, so `bytes` must not change after the call. Transposed tensors and tensors in deflated
 * archives are copied. Whatever the file contains, reading uses at most 56 MiB of memory plus 3
 * times the length of `bytes`, in addition to `bytes` itself.
 *
 * If the names of all tensors begin with `model.`, `recognise` decides whether this prefix is
 * removed. If `recognise` is absent, the prefix is kept.
 * @throws CrispenError `MODEL_CORRUPT` if the file is damaged; `MODEL_UNSUPPORTED` for another
 *   format or for unsupported content, with details in the message; `INVALID_INPUT` if `bytes` is
 *   not a `Uint8Array`.
 */
export async function readWeights(bytes: Uint8Array, recognise?: Recognise): Promise<WeightFile> {
  checkValue('The file', bytes, BYTES);
  const format = sniff(bytes);
  if (format === 'safetensors') {
    const file = readSafetensors(bytes);
    const { tensors, prefix } = stripPrefixes(file.tensors, recognise);
    return { format, tensors, wrapper: prefix, metadata: file.metadata };
  }
  const checkpoint = format === 'torch-zip' ? await openArchive(bytes) : openLegacy(bytes);
  const { tensors: refs, path } = unwrap(checkpoint.root, recognise);
  const { copyBytes } = memoryLimits(bytes.length);
  const tensors = await loadTensors(refs, checkpoint.load, copyBytes);
  return { format, tensors, wrapper: path, metadata: {} };
}

/**
 * Determines the format from the first bytes of a file.
 * @throws CrispenError `MODEL_UNSUPPORTED` for an unknown format; `MODEL_CORRUPT` for an empty
 *   file.
 */
export function sniff(bytes: Uint8Array): WeightFormat {
  const starts = (text: string, at = 0) =>
    [...text].every((character, i) => bytes[at + i] === character.charCodeAt(0));
  if (bytes.length === 0) throw new CrispenError('MODEL_CORRUPT', 'The weight file is empty.');
  // This test comes first, because a safetensors file starts with the length of its header, and the
  // bytes of this number can happen to match the signature of another format.
  if (starts('{', 8)) return 'safetensors';
  if (starts('PK')) return 'torch-zip';
  if (starts('\x80')) return 'torch-legacy';
  const pointer = starts('version https://git-lfs');
  const page = starts('<');
  throw new CrispenError(
    'MODEL_UNSUPPORTED',
    pointer
      ? 'The file is a Git LFS pointer, not the weights themselves.'
      : page
        ? 'The file is a web page, not a weight file.'
        : 'The file is neither safetensors nor a PyTorch checkpoint.',
    {
      hint:
        pointer || page
          ? 'Download the file itself, by the link that its page calls raw or download.'
          : 'Crispen reads .safetensors, .pth, .pt and .ckpt files.',
    },
  );
}
