import { defaultModel, findModel } from '../../catalog/files.ts';
import type { AddedTask } from '../../catalog/task.ts';
import { checkOneSize } from '../../image/sizeRules.ts';
import { invalid } from '../../options.ts';
import type { UpscalePlan } from '../protocol.ts';
import type { ModelChoice, PlanChoice } from './options.ts';

export const DEFAULT_QUALITY = 0.92;

/** The part of a model's description that is needed to choose a model for a request. */
export interface Choosable {
  readonly id: string;
  readonly scale: number;
  readonly task: AddedTask;
}

/**
 * Returns the model whose id is `model`. Without an id, returns the default model for the scale.
 * @param added the models that the user added
 * @throws CrispenError `MODEL_UNKNOWN` if no model has this id; `INVALID_INPUT` if no model has
 *   this scale.
 */
export const chooseModel = (
  { scale = 2, model }: ModelChoice,
  added: readonly Choosable[] = [],
): Choosable =>
  model === undefined
    ? defaultModel(scale)
    : (added.find(({ id }) => id === model) ?? findModel(model));

/**
 * Plans an upscale request.
 * @param request a request that `checkOptions` has accepted
 * @throws CrispenError `MODEL_UNKNOWN`; `INVALID_INPUT` for options that cannot be combined
 */
export function planUpscale(
  request: PlanChoice,
  added: readonly Choosable[] = [],
): Omit<UpscalePlan, 'auto'> {
  const { metadata = 'drop', to, preview = null, tileSize, edge } = request;
  const { output = to ? 'image/png' : 'bitmap', method = null, depth = null } = request;
  const { quality = DEFAULT_QUALITY, region = null } = request;
  const asks = request.confirm !== undefined;
  checkOneSize(request);
  if (depth === 16 && output !== 'image/png') {
    throw invalid(`${output} cannot hold 16 bits.`, 'Choose the output image/png, or depth 8.');
  }
  if (to && output === 'bitmap') {
    throw invalid(
      'A bitmap cannot be written to a file.',
      'Leave out the output or choose a file type.',
    );
  }
  const size = chooseSize(request, added);
  const tiling = { tileSize, edge };
  return { ...size, region, output, metadata, preview, method, depth, quality, tiling, asks };
}

/**
 * Chooses the model and its scale. In the result, `wish` is the requested size, or null if the
 * model's scale already produces it.
 */
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
