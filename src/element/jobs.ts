/** Enlarges images and encodes results for `<crispen-image>`, with the page's upscaler. */

import type { OutputType } from '../codecs/formats.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { UpscaleOutput, UpscaleProgress, Upscaler } from '../worker/page/client.ts';
import type { AUTO as Auto } from '../worker/protocol.ts';
import { type ImageAttributes, restorationOf } from './attributes.ts';
import { isAddress, type ReadyModel, readyModel, type Tool } from './shared.ts';

/**
 * The same value as `AUTO` in `worker/protocol.ts`. Importing that constant at run time would add a
 * separate chunk to the build.
 */
const AUTO: typeof Auto = 'auto';

export interface Events {
  readonly signal: AbortSignal;
  /**
   * Whether a `toBlob` call is waiting for the result. If not, a job that would take more than a
   * minute on the CPU does not run.
   */
  readonly isWanted: () => boolean;
  /** Called when the work begins, after `scale`, `model` and the browser have been checked. */
  readonly onStart: () => void;
  readonly onModel: (model: ReadyModel) => void;
  readonly onProgress: (progress: UpscaleProgress) => void;
}

/**
 * Enlarges or restores an image according to the element's attributes.
 * @returns null if the job would take more than a minute on the CPU and no `toBlob` call is waiting
 *   for the result
 * @throws CrispenError `INVALID_INPUT` if `scale` is not above 0; the tool's `refusal`;
 *   `CROSS_ORIGIN` for weights from another site that the element does not allow; and the errors of
 *   `Tool.modelFor`, `readyModel` and `Upscaler.upscale`
 */
export async function enlarge(
  tool: Tool,
  element: ImageAttributes,
  source: Blob | HTMLImageElement,
  scale: number,
  { signal, isWanted, onStart, onModel, onProgress }: Events,
): Promise<UpscaleOutput | null> {
  throwIfAborted(signal);
  if (!(scale > 0)) {
    throw new CrispenError('INVALID_INPUT', `"${element.getAttribute('scale')}" is not a scale.`, {
      hint: 'Choose 2, 3, 4 or auto.',
    });
  }
  checkModel(element);
  if (tool.refusal) throw tool.refusal;
  onStart();
  const task = restorationOf(element.task);
  // For the task `clean`, the element ignores `model="auto"` and uses the task's default model.
  const named = element.model === AUTO && element.task === 'clean' ? '' : element.model;
  const wanted = named || tool.modelFor(element.task, scale);
  const isAuto = wanted === AUTO;
  const integrity = element.integrity || undefined;
  const ready = () =>
    readyModel(tool, wanted, task ? 1 : scale, { task, integrity, signal, onProgress });
  const model = isAuto ? { id: AUTO, name: AUTO, scale } : await ready();
  if (!isAuto) onModel(model);
  let isLeft = false;
  const confirm = () => {
    isLeft = !isWanted();
    return !isLeft;
  };
  const upscale = ({ id }: ReadyModel) =>
    tool.upscaler.upscale(source, {
      model: id,
      signal,
      onProgress,
      confirm,
      ...(task && { task }),
      ...((task || isAuto) && { scale }),
    });
  try {
    const output = await upscale(model).catch(async (error) => {
      // The weight file might have been removed from storage to make room for another page's file.
      if (error.code !== 'MODEL_UNKNOWN' || !isAddress(wanted)) throw error;
      tool.models.clear();
      return upscale(await ready());
    });
    const { model: made, networkScale } = output;
    if (isAuto && made !== null) onModel({ id: made, name: made, scale: networkScale });
    return output;
  } catch (error) {
    if (isLeft && !signal.aborted) return null;
    throw error;
  }
}

/**
 * Rejects a weight file from another site, unless the page states its hash or allows the site. The
 * check is necessary because weight files are kept in the storage of the page's own site.
 */
function checkModel({ model, integrity, allowModels }: ImageAttributes): void {
  if (!isAddress(model) || integrity !== '') return;
  const url = URL.canParse(model, document.baseURI) ? new URL(model, document.baseURI) : null;
  // For a value that is not a URL, `addModel` throws an error later.
  if (!url || url.origin === location.origin || url.protocol === 'data:') return;
  const allowed = allowModels?.trim();
  if (allowed === '' || allowed?.split(/\s+/).includes(url.origin)) return;
  throw new CrispenError('CROSS_ORIGIN', `The weights at ${url.href} belong to another site.`, {
    hint: `Set integrity to the file's hash (sha256-…), or allow-models="${url.origin}".`,
  });
}

/**
 * Encodes a result as a file.
 * @param shown the element that shows the result
 * @param address the URL of the original
 * @throws CrispenError in the same cases as `Upscaler.upscale` and `Upscaler.encode`
 */
export async function encodeResult(
  upscaler: Upscaler,
  shown: HTMLCanvasElement | HTMLImageElement,
  { source, model }: UpscaleOutput,
  address: string,
  { type, quality }: { readonly type: OutputType; readonly quality: number | undefined },
): Promise<Blob> {
  // A canvas has 8 bits per sample and no colour profile. If the original has 16 bits per sample or
  // a colour profile, it is enlarged again, and the upscaler returns the result as a file.
  if (model && (source.hasProfile || source.depth === 16)) {
    return (await upscaler.upscale(address, { model, output: type, quality })).image as Blob;
  }
  const bitmap = await createImageBitmap(shown, { premultiplyAlpha: 'none' });
  return upscaler.encode(bitmap, { type, quality }).finally(() => bitmap.close());
}
