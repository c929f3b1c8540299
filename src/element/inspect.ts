/** Inspects an image on the page, and chooses a scale or a reason to skip it. */

import { type ImageAttributes, restorationOf } from './attributes.ts';
import { measure } from './layout.ts';
import type { Look } from './look.ts';
import { chooseScale, type SkipReason } from './sizing.ts';

/** Information about the file at a URL. */
export interface Inspected extends Look {
  readonly source: string;
  /** The file; null if scripts cannot read it. */
  readonly file: Blob | null;
}

/**
 * Returns information about the file at the URL `source`. Reads the file if the browser allows it.
 * The file is usually in the browser's cache, because the page has just loaded it.
 * @param image the image that shows the file
 */
export async function inspect(
  source: string,
  image: HTMLImageElement,
  signal: AbortSignal,
): Promise<Inspected> {
  const credentials = image.crossOrigin === 'use-credentials' ? 'include' : 'same-origin';
  try {
    const response = await fetch(source, { signal, credentials, cache: 'force-cache' });
    if (!response.ok) throw new Error(response.statusText);
    const { look, readFile } = await import('./look.ts');
    const file = await readFile(response, signal);
    return { source, file, ...(await look(file)) };
  } catch {
    // A page can show a file that scripts cannot fetch, for example because the page's
    // `connect-src` policy forbids it or because the URL works only once.
    const isLeft = /\.gif($|[?#])|^data:image\/gif/i.test(source);
    return { source, file: null, isLeft, size: null };
  }
}

/**
 * Chooses a scale, or a reason to skip the image.
 * @param source the URL of the file that `image` shows
 * @param known information about that file; null before `inspect` has run
 * @param forced whether to make a result even if the layout does not need it
 */
export function choose(
  element: ImageAttributes,
  image: HTMLImageElement,
  source: string,
  known: Look | null,
  forced: boolean,
): { readonly scale: number } | { readonly skip: SkipReason } {
  if (known?.isLeft || /\.svg($|[?#])|^data:image\/svg/i.test(source)) return { skip: 'format' };
  const { connection } = navigator as { connection?: { saveData?: boolean } };
  if (connection?.saveData && element.loading !== 'eager' && !forced) return { skip: 'save-data' };
  const { naturalWidth, naturalHeight } = image;
  const [width, height] = known?.size ?? [naturalWidth, naturalHeight];
  const { content } = measure(image);
  // The browser might have rotated the image according to its EXIF orientation.
  const isUpright = width > height === naturalWidth > naturalHeight;
  const choice = chooseScale({
    width: isUpright ? width : height,
    height: isUpright ? height : width,
    density: Math.sqrt((width * height) / (naturalWidth * naturalHeight)),
    shownWidth: content.width,
    shownHeight: content.height,
    ratio: devicePixelRatio,
    fit: getComputedStyle(image).objectFit,
    scale: element.scale,
    maxPixels: element.maxPixels,
    restores: restorationOf(element.task) !== undefined,
    forced,
  });
  // If the file comes from a `srcset`, its size can differ from the image's natural size, because
  // browsers divide the size by the candidate's density. In that case, the image is skipped only
  // after the file has been inspected.
  const isGuess = 'skip' in choice && !known && content.width > 0 && hasCandidates(image);
  return isGuess ? { scale: 1 } : choice;
}

/** Returns whether the browser might have chosen the file from the candidates in a `srcset`. */
const hasCandidates = (image: HTMLImageElement): boolean =>
  image.srcset !== '' || image.parentElement instanceof HTMLPictureElement;
