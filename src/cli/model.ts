import { createHash } from 'node:crypto';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CrispenError } from '../errors.ts';
import { createNetwork } from '../models/index.ts';
import { defaultModel, findModel } from '../models/manifest.ts';
import type { Network } from '../models/network.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { readBytes } from './images.ts';

/** The package's own folder: this file stands two folders below it, in the source as when built. */
export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface ChosenModel {
  /** The manifest's id, or the name of the weight file. */
  readonly name: string;
  readonly network: Network;
  readonly weights: TensorMap;
  /** SHA-256 of the weight file in hexadecimal digits. */
  readonly sha256: string;
}

/**
 * The model that the options name. `weights` (a safetensors file) replaces the weights of `model`;
 * without a model it holds an A2N of input range 0..255 at `scale` (default 2). With neither, the
 * default model of the scale.
 * @throws CrispenError `MODEL_UNKNOWN`, `MODEL_CORRUPT`, `MODEL_UNSUPPORTED`, `INVALID_INPUT`.
 */
export async function chooseModel(options: {
  readonly model?: string | undefined;
  readonly weights?: string | undefined;
  readonly scale?: number | undefined;
}): Promise<ChosenModel> {
  const { model, weights, scale } = options;
  if (weights !== undefined && model === undefined) {
    const network = createNetwork('a2n', { scale: scale ?? 2, inputRange: 255 });
    return {
      name: fileTitle(weights),
      network,
      ...(await readWeights(weights, network)),
    };
  }
  const entry = model === undefined ? defaultModel(scale ?? 2) : findModel(model);
  if (scale !== undefined && scale !== entry.scale) {
    throw new CrispenError('INVALID_INPUT', `The model ${entry.id} enlarges by ${entry.scale}.`, {
      hint: `Leave --scale out or choose another model than ${entry.id}.`,
    });
  }
  const network = createNetwork(entry.network, {
    scale: entry.scale,
    inputRange: entry.inputRange,
  });
  if (weights !== undefined) {
    return { name: fileTitle(weights), network, ...(await readWeights(weights, network)) };
  }
  const shipped = await readWeights(`${PACKAGE_ROOT}public/models/${entry.file}`, network);
  if (shipped.sha256 !== entry.sha256) {
    throw new CrispenError('MODEL_CORRUPT', `The weight file of ${entry.id} is damaged.`, {
      hint: 'Install the package again.',
    });
  }
  return { name: entry.id, network, ...shipped };
}

/**
 * Tensors that the network has no use for are refused: an x4 file holds all that an x2 network of
 * the same family asks for, and would give a plausible but wrong image. (The engine finds what is
 * missing.)
 */
async function readWeights(
  path: string,
  network: Network,
): Promise<{ weights: TensorMap; sha256: string }> {
  const bytes = await readBytes(path);
  const weights = readSafetensors(bytes).tensors;
  const known = new Set(network.graph.weights.map(({ name }) => name));
  const foreign = [...weights.keys()].find((name) => !known.has(name));
  if (foreign !== undefined) {
    const family = `${network.architecture} x${network.scale}`;
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `${basename(path)} is not of the network ${family}, which has no ${foreign}.`,
      { hint: 'Choose the network that the weights were made for by --scale or --model.' },
    );
  }
  return { weights, sha256: createHash('sha256').update(bytes).digest('hex') };
}

const fileTitle = (path: string): string => basename(path, extname(path));
