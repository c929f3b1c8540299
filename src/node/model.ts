import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AutoChoice, chooseSpeed } from '../catalog/auto.ts';
import { planChain, runsOf } from '../catalog/chain.ts';
import {
  defaultModel,
  findModel,
  MODEL_FILES,
  type ModelFile,
  restorationModel,
} from '../catalog/files.ts';
import { shippedModel, shippedNetwork } from '../catalog/network.ts';
import { checkServes, type Task, taskOfFile } from '../catalog/task.ts';
import { CrispenError } from '../errors.ts';
import type { Size } from '../geometry.ts';
import { type SizeWish, wishedSize } from '../image/size.ts';
import { type Detection, detect, recognise } from '../networks/detect.ts';
import type { NetworkSettings } from '../networks/match.ts';
import type { Network } from '../networks/network.ts';
import { readWeights, type WeightFile } from '../weights/read.ts';
import type { TensorMap } from '../weights/tensor.ts';
import { AUTO } from '../worker/protocol.ts';
import { readBytes } from './images.ts';

/**
 * The package's root folder. This file is two levels below it, both in the source and in the build.
 */
export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The settings of a network except its scale. The tensors in a weight file might not determine
 * them.
 */
export type NetworkWish = NetworkSettings;

/**
 * Finds a shipped weight file. A checkout contains the weight files of all models, but the package
 * contains only one model's weight file.
 */
const findShipped = ({ file }: ModelFile): string | undefined =>
  ['public/models/', 'dist/lib/models/']
    .map((at) => `${PACKAGE_ROOT}${at}${file}`)
    .find((path) => existsSync(path));

function shippedFile(model: ModelFile): string {
  const { id, file } = model;
  const found = findShipped(model);
  if (found) return found;
  throw new CrispenError('FETCH_FAILED', `The weights of ${id} are not part of this package.`, {
    hint: `Get ${file} from the project's repository and pass it with --weights.`,
  });
}

export interface ChosenModel {
  /**
   * The id of the shipped model. If the user provided a weight file, this is the name of that file
   * without its extension.
   */
  readonly name: string;
  readonly network: Network;
  readonly weights: TensorMap;
  /**
   * Whether measurements have shown that these weights are safe in f16. This can be true only for
   * shipped weights.
   */
  readonly f16: boolean;
  /** The weight file's SHA-256 in hexadecimal digits. */
  readonly sha256: string;
  /**
   * Short descriptions of the settings that Crispen assumes because neither the weight file nor an
   * option determines them.
   */
  readonly assumptions: readonly string[];
}

/** A planned run of a shipped model, whose weights have not been read yet. */
type PlannedRun = Size & { readonly model: ModelFile; readonly network: Network };

type Estimate = (runs: readonly PlannedRun[]) => Promise<number | null>;

export interface ModelOptions {
  /** The id of a shipped model. `chooseChain` also accepts `auto`. */
  readonly model?: string | undefined;
  readonly weights?: string | undefined;
  readonly scale?: number | undefined;
  /**
   * Network settings that the weight file does not determine. Settings that are left out have their
   * default values.
   */
  readonly wish?: NetworkWish | undefined;
  /**
   * The function that reads weight files. Callers that cache files pass their own function.
   * Default: `readWeightFile`.
   */
  readonly read?: typeof readWeightFile | undefined;
}

/**
 * Returns the model that the options specify. `weights` is the path of a weight file in any known
 * format. If only `weights` is given, the network is detected from the file's tensors and name. If
 * `model` is given too, the file replaces that model's weights. If neither is given, the result is
 * the default model for the scale.
 * @throws CrispenError `MODEL_UNKNOWN`, `MODEL_CORRUPT`, `MODEL_UNSUPPORTED`, `INVALID_INPUT`.
 */
export async function chooseModel(options: ModelOptions): Promise<ChosenModel> {
  const { model, weights, scale, read: readFile = readWeightFile } = options;
  if (weights !== undefined && model === undefined) {
    const { file, sha256 } = await readFile(weights);
    return ofFile(weights, detectIn(file, weights, options), sha256);
  }
  const entry = model === undefined ? defaultModel(scale ?? 2) : findModel(model);
  if (scale !== undefined && scale !== entry.scale) {
    const does = entry.scale === 1 ? 'keeps the size' : `enlarges by ${entry.scale}`;
    throw new CrispenError('INVALID_INPUT', `The model ${entry.id} ${does}.`, {
      hint: `Leave --scale out or choose another model than ${entry.id}.`,
    });
  }
  const inputRange = options.wish?.inputRange ?? entry.inputRange;
  const file = await readFile(weights ?? shippedFile(entry));
  const read = await modelOf(file, weights ?? entry.file, { ...entry, inputRange });
  if (weights !== undefined) return { name: fileTitle(weights), f16: false, ...read };
  if (read.sha256 !== entry.sha256) {
    throw new CrispenError('MODEL_CORRUPT', `The weight file of ${entry.id} is damaged.`, {
      hint: 'Install the package again.',
    });
  }
  return { name: entry.id, f16: entry.f16, ...read };
}

/**
 * The assumption that is reported if a weight file's network has scale 1, and neither an option nor
 * the file's name states its task.
 */
const RESTORES = 'it restores the image at its own size';

/**
 * Returns the models that run on an image one after the other, and the size of the final result. If
 * `model` is the id of a shipped model, models of the same family are used, and the requested size
 * determines which of them run. A model from a weight file runs as many times as the requested size
 * requires. A restoration model runs once, and the default models then enlarge its result. `auto`
 * chooses between the best and the fast models, and ignores fast models whose weights are not
 * available.
 * @param wish the requested size; default: the model's own scale, or x2 without a model
 * @param options.task the task; default: the model's own task
 * @param options.estimate for `auto`: returns how long the runs would take, in milliseconds, or
 *   null if this is unknown
 * @throws CrispenError like `chooseModel`; `INVALID_INPUT` if the model cannot be used for the
 *   task.
 */
export async function chooseChain(
  image: Size,
  wish: SizeWish | null,
  {
    task,
    model: asked,
    estimate,
    ...options
  }: Omit<ModelOptions, 'scale'> & {
    readonly task?: Task | undefined;
    readonly estimate: Estimate;
  },
): Promise<{
  readonly chain: readonly ChosenModel[];
  readonly size: Size;
  readonly factor: number;
  readonly auto: AutoChoice | null;
}> {
  const { weights } = options;
  const isAuto = asked === AUTO;
  if (isAuto && weights !== undefined) {
    throw new CrispenError('INVALID_INPUT', 'The model "auto" has no weights of its own.', {
      hint: 'Leave out the model or the weights.',
    });
  }
  if (weights === undefined) {
    const restores = task !== undefined && task !== 'upscale';
    const named = isAuto ? undefined : asked;
    const model = named ?? (restores ? restorationModel(task).id : undefined);
    const own = model === undefined ? null : findModel(model);
    if (task && own) checkServes(own, task);
    const planned = planChain(MODEL_FILES, image, wish ?? { scale: own?.scale ?? 2 }, {
      shipped: model,
    });
    const best = planned.models as readonly ModelFile[];
    const chosen = isAuto ? await chooseAuto(image, best, estimate) : { models: best, auto: null };
    return { ...planned, auto: chosen.auto, chain: await readAll(chosen.models, options) };
  }
  const factor = wish && wishedSize(image, wish).factor;
  const file = await chooseFile({ ...options, model: asked, weights }, factor);
  const { scale } = file.network;
  const isOpen = taskOfFile(scale, file.name, task) === 'restore';
  const only = isOpen ? { ...file, assumptions: [...file.assumptions, RESTORES] } : file;
  const planned = planChain(MODEL_FILES, image, wish ?? { scale }, { own: { ...only, scale } });
  const chain = await readAll(planned.models, { read: options.read });
  return { ...planned, chain, auto: null };
}

/**
 * Chooses between the best and the fast models. Fast models can be chosen only if their weights are
 * available.
 */
function chooseAuto(image: Size, best: readonly ModelFile[], estimate: Estimate) {
  const there = MODEL_FILES.filter((model) => best.includes(model) || findShipped(model));
  return chooseSpeed(
    there,
    best,
    (model) => model,
    async (models) => estimate(await runsOf(image, models, shippedNetwork)),
  );
}

/**
 * Loads the weights of the shipped models in a chain. If a model occurs several times, its weights
 * are loaded only once.
 */
async function readAll(
  models: readonly (ModelFile | ChosenModel)[],
  options: Omit<ModelOptions, 'scale'>,
): Promise<ChosenModel[]> {
  const read = new Map<ModelFile | ChosenModel, ChosenModel>();
  for (const model of new Set(models)) {
    const isRead = 'weights' in model;
    read.set(model, isRead ? model : await chooseModel({ ...options, model: model.id }));
  }
  return models.map((model) => read.get(model) as ChosenModel);
}

/**
 * Returns a weight file's model. If `factor` is one of the scales that fit the file's tensors, the
 * model has that scale.
 */
async function chooseFile(
  options: Omit<ModelOptions, 'scale'> & { readonly weights: string },
  factor: number | null,
): Promise<ChosenModel> {
  const { model, weights, read = readWeightFile } = options;
  if (model !== undefined || factor === null) return chooseModel(options);
  const { file, sha256 } = await read(weights);
  const found =
    Number.isInteger(factor) &&
    possible(() => detectIn(file, weights, { ...options, scale: factor }));
  const likelyScale = Math.ceil(factor);
  return ofFile(weights, found || detectIn(file, weights, { ...options, likelyScale }), sha256);
}

/** Builds a weight file's model from the detected network. */
function ofFile(path: string, found: Detection, sha256: string): ChosenModel {
  const { network, weights, assumptions } = found;
  return { name: fileTitle(path), network, weights, f16: false, sha256, assumptions };
}

/** Returns the result of `work`, or null if `work` throws `MODEL_UNSUPPORTED`. */
function possible<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof CrispenError && error.code === 'MODEL_UNSUPPORTED') return null;
    throw error;
  }
}

/** Reads a weight file in any known format. */
export async function readWeightFile(path: string): Promise<{ file: WeightFile; sha256: string }> {
  const bytes = await readBytes(path);
  const file = await readWeights(bytes, recognise);
  return { file, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Detects a weight file's network from its tensors, its name and the options. */
export function detectIn(
  { tensors }: WeightFile,
  path: string,
  options: Pick<ModelOptions, 'scale' | 'wish'> & { readonly likelyScale?: number },
): Detection {
  const { scale, likelyScale, wish } = options;
  const found = detect(tensors, { ...wish, name: basename(path), scale, likelyScale });
  const { assumptions, scaleSource } = found;
  if (scaleSource !== 'default') return found;
  return { ...found, assumptions: [...assumptions, `it enlarges by ${found.scale}`] };
}

/**
 * Returns a shipped model's network with weights from a file. Unused tensors are an error, because
 * they can mean that the file belongs to another network. For example, an x4 file contains all
 * tensors that an x2 network of the same family needs, but the resulting image would be wrong. (The
 * engine reports missing tensors.)
 */
async function modelOf(
  { file, sha256 }: Awaited<ReturnType<typeof readWeightFile>>,
  path: string,
  entry: ModelFile,
): Promise<Omit<ChosenModel, 'name' | 'f16'>> {
  const { network, weights } = await shippedModel(entry, file.tensors);
  const known = new Set(network.graph.weights.map(({ name }) => name));
  // Only files that use Crispen's own tensor names can be checked for unused tensors.
  const foreign = weights === file.tensors && [...weights.keys()].find((name) => !known.has(name));
  const { architecture, scale } = await shippedNetwork(entry);
  const isOther = network.architecture !== architecture || network.scale !== scale;
  if (foreign || isOther) {
    throw new CrispenError(
      'MODEL_UNSUPPORTED',
      `${basename(path)} does not belong to the network ${architecture} x${scale}${
        foreign ? `, which has no ${foreign}` : ''
      }.`,
      { hint: 'Choose the network of these weights with --scale or --model.' },
    );
  }
  return { network, weights, sha256, assumptions: [] };
}

const fileTitle = (path: string): string => basename(path, extname(path));
