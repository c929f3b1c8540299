import type { OutputType } from '../codecs/encoder.ts';
import { CrispenError } from '../errors.ts';
import type { Depth } from '../image/image.ts';
import { defaultModel, findModel } from '../models/files.ts';
import type { AddedTask, Task } from '../models/task.ts';
import type {
  Fallback,
  Metadata,
  Method,
  OutputFormat,
  Tiling,
  UpscalePlan,
  UpscaleTarget,
} from './protocol.ts';

export interface ModelChoice {
  /** Default: the model's; without a model 2, and 1 for a task that restores. */
  readonly scale?: number | undefined;
  /**
   * Id of a shipped or an added model; default: the photo model of the scale, where there is one, or
   * that of the task.
   */
  readonly model?: string | undefined;
  /**
   * What to do; default: what the model does, without a model `upscale`. The others restore the image
   * at its own size; where another size is asked for as well, the default models enlarge what comes
   * out.
   */
  readonly task?: Task | undefined;
}

export interface PlanChoice extends ModelChoice, Tiling {
  /**
   * Any factor up to 16; default: the model's scale, without a model and a task 2. What no network has of itself
   * is made by the next larger scale of the model's family, or by several passes, and resized.
   */
  readonly scale?: number | undefined;
  /** In place of `scale`: width or height in pixels, or a box that the result fits into. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly fit?: { readonly width: number; readonly height: number } | undefined;
  /** `lanczos`: resized without a network, on the GPU where there is one. Default `network`. */
  readonly method?: Method | undefined;
  /** Bits of the samples in a PNG file; default: as many as the source has. */
  readonly depth?: Depth | undefined;
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
const EDGES = ['zero', 'replicate', 'wrap'];
const FALLBACKS: readonly Fallback[] = ['error', 'cpu', 'lanczos'];
const DEFAULT_QUALITY = 0.92;

/** What a request needs to know of a model. */
export interface Choosable {
  readonly id: string;
  readonly scale: number;
  readonly task: AddedTask;
}

/**
 * The model by its id, else the default one of the scale.
 * @param added the models that the user added
 * @throws CrispenError `MODEL_UNKNOWN`; `INVALID_INPUT` for a scale that no model has.
 */
export const chooseModel = (
  { scale = 2, model }: ModelChoice,
  added: readonly Choosable[] = [],
): Choosable =>
  model === undefined
    ? defaultModel(scale)
    : (added.find(({ id }) => id === model) ?? findModel(model));

/** @throws CrispenError `MODEL_UNKNOWN`, `INVALID_INPUT` */
export function planUpscale(request: PlanChoice, added: readonly Choosable[] = []): UpscalePlan {
  const { fallback = 'error', metadata = 'drop', to, preview = null } = request;
  const { output = to ? 'image/png' : 'bitmap', method = null, depth = null } = request;
  const size = chooseSize(request, added);
  if (!OUTPUTS.includes(output)) {
    throw invalid(`There is no output "${String(output)}".`, `Choose ${OUTPUTS.join(', ')}.`);
  }
  if (!FALLBACKS.includes(fallback)) {
    throw invalid(`There is no fallback "${String(fallback)}".`, `Choose ${FALLBACKS.join(', ')}.`);
  }
  if (metadata !== 'keep' && metadata !== 'drop') {
    throw invalid(`Metadata cannot be "${String(metadata)}".`, 'Choose keep or drop.');
  }
  const { tileSize, edge } = request;
  if (tileSize !== undefined && !(tileSize >= 1)) {
    throw invalid(`A tile of ${tileSize} pixels.`, 'Give its side, such as 128.');
  }
  if (edge !== undefined && !EDGES.includes(edge)) {
    throw invalid(`There is no edge "${String(edge)}".`, `Choose ${EDGES.join(', ')}.`);
  }
  const tiling = { tileSize, edge };
  const quality = checkQuality(request.quality);
  return { ...size, output, fallback, metadata, preview, method, depth, quality, tiling };
}

/** The model with its own scale, or what somebody wishes for beyond that: the worker checks it. */
function chooseSize(
  { model, scale, width, height, fit }: PlanChoice,
  added: readonly Choosable[],
): Pick<UpscalePlan, 'model' | 'scale' | 'wish'> {
  const own = model === undefined ? null : chooseModel({ model }, added);
  const isOwn = scale === undefined || (own ? own.scale === scale : [2, 3, 4].includes(scale));
  if (isOwn && (width ?? height ?? fit) === undefined) {
    const entry = own ?? defaultModel(scale ?? 2);
    return { model: entry.id, scale: entry.scale, wish: null };
  }
  const wish = { scale, width, height, fit };
  return { model: own ? own.id : null, scale: own ? own.scale : 2, wish };
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
