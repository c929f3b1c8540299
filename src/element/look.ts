/**
 * Reads information about an image from its file's bytes. This module is loaded when the first
 * image needs it.
 */
import { isMoving } from '../codecs/frames.ts';
import { readHeader } from '../codecs/header.ts';
import { mostBytes } from '../codecs/limits.ts';
import { readAll } from '../worker/reading.ts';

export interface Look {
  /**
   * Whether `<crispen-image>` leaves the image as it is, because the file is an animation or an SVG
   * drawing. For a file that scripts cannot read, this is true if the URL is that of a GIF.
   */
  readonly isLeft: boolean;
  /** The stored size in pixels; null if the file or its header cannot be read. */
  readonly size: readonly [width: number, height: number] | null;
}

export async function look(file: Blob): Promise<Look> {
  const data = new Uint8Array(await file.arrayBuffer());
  const { format, size } = readHeader(data);
  return { isLeft: format === 'SVG' || isMoving(format, data), size };
}

/**
 * Reads a response's body. The number of bytes is limited, because the response might never end.
 * @throws RangeError if the body exceeds this limit
 */
export async function readFile(response: Response, signal: AbortSignal): Promise<Blob> {
  const judge = (start: Uint8Array) => mostBytes(readHeader(start));
  const tooLarge = (limit: number) => new RangeError(`more than ${limit} bytes`);
  return new Blob([await readAll(response, { signal, judge, tooLarge })]);
}
