import type { OutputType } from '../codecs/encoder.ts';
import { CrispenError } from '../errors.ts';
import { defaultModel, findModel, type ModelFile } from '../models/files.ts';
import type { Fallback, Metadata, OutputFormat, UpscalePlan, UpscaleTarget } from './protocol.ts';

export interface ModelChoice {
  /** Default: the model's; without a model 2. */
  readonly scale?: number | undefined;
  /** Id of a shipped or an added model; default: the photo model of the scale, where there is one. */
  readonly model?: string | undefined;
}

export interface PlanChoice extends ModelChoice {
  /** Default `bitmap`; with `to` PNG. */
  readonly output?: OutputFormat | undefined;
  /** Where the file goes as it is made, in place of `image` of the result. */
  readonly to?: UpscaleTarget | undefined;
  /** Longest side of a small picture to make of a result that is a file. */
  readonly preview?: number | undefined;
  /** 0 to 1, for all but PNG; default 0.92. */
  readonly quality?: number | undefined;
  /** What to do without an adapter; default `error`. */
  readonly fallback?: Fallback | undefined;
  /** EXIF and XMP of the source in a file of the result; default `drop`. Profiles are always kept. */
  readonly metadata?: Metadata | undefined;
}

const OUTPUTS: readonly OutputFormat[] = [
  'bitmap',
  'image/png',
  'image/jpeg',
  'image/webp',
  'image/avif',
];
const FALLBACKS: readonly Fallback[] = ['error', 'cpu', 'lanczos'];
const DEFAULT_QUALITY = 0.92;

/** What a request needs to know of a model. */
export type Choosable = Pick<ModelFile, 'id'> & { readonly scale: number };

/**
 * @param added the models that the user added
 * @throws CrispenError `MODEL_UNKNOWN`; `INVALID_INPUT` for a scale that does not exist or that is
 * not the model's.
 */
export function chooseModel(
  { scale, model }: ModelChoice,
  added: readonly Choosable[] = [],
): Choosable {
  const own = added.find(({ id }) => id === model);
  if (!own && scale !== undefined && scale !== 2 && scale !== 3 && scale !== 4) {
    throw invalid(`There is no scale ${String(scale)}.`, 'Choose 2, 3 or 4.');
  }
  if (model === undefined) return defaultModel(scale ?? 2);
  const entry = own ?? findModel(model);
  if (scale !== undefined && scale !== entry.scale) {
    throw invalid(
      `The model "${model}" enlarges by ${entry.scale}, not by ${scale}.`,
      `Leave the scale out or choose a model of scale ${scale}.`,
    );
  }
  return entry;
}

/** @throws CrispenError `MODEL_UNKNOWN`, `INVALID_INPUT` */
export function planUpscale(request: PlanChoice, added: readonly Choosable[] = []): UpscalePlan {
  const { fallback = 'error', metadata = 'drop', to, preview = null } = request;
  const { output = to ? 'image/png' : 'bitmap' } = request;
  const { id, scale } = chooseModel(request, added);
  if (!OUTPUTS.includes(output)) {
    throw invalid(`There is no output "${String(output)}".`, `Choose ${OUTPUTS.join(', ')}.`);
  }
  if (!FALLBACKS.includes(fallback)) {
    throw invalid(`There is no fallback "${String(fallback)}".`, `Choose ${FALLBACKS.join(', ')}.`);
  }
  if (metadata !== 'keep' && metadata !== 'drop') {
    throw invalid(`Metadata cannot be "${String(metadata)}".`, 'Choose keep or drop.');
  }
  if (to && (to instanceof WritableStream ? to.locked : to.kind !== 'file')) {
    throw invalid('A result cannot be written there.', 'Give a file handle or an unlocked stream.');
  }
  if ((to || preview !== null) && output === 'bitmap') {
    throw invalid('A bitmap goes to no file.', 'Leave the output out or choose a file type.');
  }
  if (preview !== null && !(preview >= 1)) {
    throw invalid(`A preview of ${preview} pixels.`, 'Give its longest side, such as 1024.');
  }
  return {
    ...{ model: id, scale, output, fallback, metadata, preview },
    quality: checkQuality(request.quality),
  };
}

/** @throws CrispenError `INVALID_INPUT` outside of 0 to 1. */
export function checkQuality(quality: number = DEFAULT_QUALITY): number {
  if (quality >= 0 && quality <= 1) return quality;
  throw invalid(`The quality is ${String(quality)}.`, 'It goes from 0 to 1.');
}

/** @throws CrispenError `INVALID_INPUT` for anything but the MIME types that can be written. */
export function checkOutputType(type: OutputType): OutputType {
  if ((type as string) !== 'bitmap' && OUTPUTS.includes(type)) return type;
  throw invalid(
    `There is no file type "${String(type)}".`,
    `Choose ${OUTPUTS.slice(1).join(', ')}.`,
  );
}

function invalid(message: string, hint: string): CrispenError {
  return new CrispenError('INVALID_INPUT', message, { hint });
}
