/**
 * Recognises platform objects. `instanceof` checks only the classes of the current realm, so it
 * rejects a Blob from an iframe. It also fails for classes that do not exist in workers.
 */

import { invalid } from '../../options.ts';

interface Class {
  readonly prototype: object;
}

/**
 * Creates a function that returns whether a value is an instance of a platform class, even if the
 * value comes from another realm, such as an iframe. The function applies one of the class's
 * getters to the value. The getter throws if the value is not an instance.
 *
 * @param name the name of the class, which might not exist in this realm
 * @param property a property that this class, not a base class, defines with a getter
 */
const test =
  <T>(name: string, property: string) =>
  (value: unknown): value is T => {
    const type = (globalThis as unknown as Record<string, Class | undefined>)[name];
    const getter = type && Object.getOwnPropertyDescriptor(type.prototype, property)?.get;
    if (!getter || typeof value !== 'object' || value === null) return false;
    try {
      getter.call(value);
      return true;
    } catch {
      return false;
    }
  };

export const isBlob = test<Blob>('Blob', 'size');
export const isFile = test<File>('File', 'name');
export const isUrl = test<URL>('URL', 'href');
export const isBitmap = test<ImageBitmap>('ImageBitmap', 'width');
export const isImageData = test<ImageData>('ImageData', 'width');
export const isImageElement = test<HTMLImageElement>('HTMLImageElement', 'currentSrc');
export const isCanvasElement = test<HTMLCanvasElement>('HTMLCanvasElement', 'width');
export const isOffscreenCanvas = test<OffscreenCanvas>('OffscreenCanvas', 'width');
export const isInputElement = test<HTMLInputElement>('HTMLInputElement', 'files');
export const isStream = test<WritableStream<Uint8Array>>('WritableStream', 'locked');
const isHandle = test<FileSystemHandle>('FileSystemHandle', 'kind');
export const isFileHandle = (value: unknown): value is FileSystemFileHandle =>
  isHandle(value) && value.kind === 'file';

/**
 * Returns the base for relative URLs: the document's base URL or, in a worker, the URL of its
 * script. A `blob:` script has no folder, so its base is the origin. Returns undefined if there is
 * neither a document nor a location, as in Node.
 */
export function baseAddress(): string | undefined {
  if (typeof document !== 'undefined') return document.baseURI;
  if (typeof location === 'undefined') return undefined;
  return location.protocol === 'blob:' ? location.origin : location.href;
}

/**
 * Resolves an address to an absolute URL.
 * @throws CrispenError `INVALID_INPUT` with this hint if the address is invalid
 */
export function absolute(address: string | URL, hint: string): URL {
  try {
    return new URL(address, baseAddress());
  } catch {
    throw invalid(`"${address}" is not a URL.`, hint);
  }
}
