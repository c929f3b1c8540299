import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { readSafetensors } from '../weights/safetensors.ts';
import type { TensorMap } from '../weights/tensor.ts';

/** The extension of golden files and of weight files. */
export const EXTENSION = '.safetensors';

const WEIGHTS = 'weights.';

/** The content of a golden file. */
export interface GoldenFile {
  readonly path: string;
  /** The file's name without its extension. */
  readonly name: string;
  readonly tensors: TensorMap;
  readonly metadata: Readonly<Record<string, string>>;
  /** Returns a number from the metadata, or NaN if there is none. */
  readonly number: (key: string) => number;
  /** The weights that the file contains, by their names in the network. */
  readonly inside: TensorMap;
}

/** @throws CrispenError `MODEL_CORRUPT` if the file cannot be parsed. */
export async function readGoldenFile(path: string): Promise<GoldenFile> {
  const { tensors, metadata } = readSafetensors(await readFile(path));
  return {
    path,
    name: basename(path, EXTENSION),
    tensors,
    metadata,
    number: (key) => Number(metadata[key]),
    inside: under(WEIGHTS, tensors),
  };
}

/** Returns the tensors whose names begin with `prefix`, and removes the prefix from their names. */
export const under = (prefix: string, tensors: TensorMap): TensorMap =>
  new Map(
    [...tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );

/**
 * Returns the tensors to compare. The input, the weights and all tensors whose names match `leave`
 * are left out.
 */
export const expectedOf = (tensors: TensorMap, leave = /^$/): TensorMap =>
  new Map(
    [...tensors].filter(
      ([name]) => name !== 'input' && !name.startsWith(WEIGHTS) && !leave.test(name),
    ),
  );
