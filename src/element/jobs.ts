/** The work that an element asks of the page's upscaler. */

import type { OutputType } from '../codecs/formats.ts';
import { CrispenError, throwIfAborted } from '../errors.ts';
import type { UpscaleOutput, UpscaleProgress, Upscaler } from '../worker/page/client.ts';
import type { AUTO as Auto } from '../worker/protocol.ts';
import { type ImageAttributes, restorationOf } from './attributes.ts';
import { isAddress, type ReadyModel, readyModel, type Tool } from './shared.ts';

/** Without the module that has it, which would be a file of its own. */
const AUTO: typeof Auto = 'auto';

export interface Events {
  readonly signal: AbortSignal;
  /** Whether somebody waits for the result, however long it takes. */
  readonly isWanted: () => boolean;
  /** Called when the upscaler can work here and begins. */
  readonly onStart: () => void;
  readonly onModel: (model: ReadyModel) => void;
  readonly onProgress: (progress: UpscaleProgress) => void;
}

/**
 * Enlarges or restores an image as the element's attributes say.
 * @returns null if it would take more than a minute and nobody waits for it
 * @throws CrispenError `INVALID_INPUT` if `scale` is not above 0; the tool's refusal;
 *   `CROSS_ORIGIN` for weights from another site that the element does not allow; and as
 *   `readyModel` and `Upscaler.upscale`
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
  // Of the clean models, the best one is the choice.
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
      // The file may have been removed from storage to make room for another page.
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
 * Rejects weights from another site, unless the page gives the file's hash or names the site. Such
 * weights are kept in this site's storage.
 */
function checkModel({ model, integrity, allowModels }: ImageAttributes): void {
  if (!isAddress(model) || integrity !== '') return;
  const url = URL.canParse(model, document.baseURI) ? new URL(model, document.baseURI) : null;
  // `addModel` reports values that are not URLs.
  if (!url || url.origin === location.origin || url.protocol === 'data:') return;
  const allowed = allowModels?.trim();
  if (allowed === '' || allowed?.split(/\s+/).includes(url.origin)) return;
  throw new CrispenError('CROSS_ORIGIN', `The weights at ${url.href} belong to another site.`, {
    hint: `Set integrity to the file's hash (sha256-…), or allow-models="${url.origin}".`,
  });
}

/**
 * Encodes a result as a file.
 * @param shown the result on the page
 * @param address URL of the original
 * @throws CrispenError as `Upscaler.upscale` and `Upscaler.encode`
 */
export async function encodeResult(
  upscaler: Upscaler,
  shown: HTMLCanvasElement | HTMLImageElement,
  { source, model }: UpscaleOutput,
  address: string,
  { type, quality }: { readonly type: OutputType; readonly quality: number | undefined },
): Promise<Blob> {
  // A canvas has 8 bits and no profile. If the original has more, the result is made again as a
  // file.
  if (model && (source.hasProfile || source.depth === 16)) {
    return (await upscaler.upscale(address, { model, output: type, quality })).image as Blob;
  }
  const bitmap = await createImageBitmap(shown, { premultiplyAlpha: 'none' });
  return upscaler.encode(bitmap, { type, quality }).finally(() => bitmap.close());
}
