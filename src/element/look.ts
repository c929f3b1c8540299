/**
 * Facts about an image that only the file's bytes contain; loaded when the first image needs it.
 */
import { isMoving } from '../codecs/frames.ts';
import { readHeader } from '../codecs/header.ts';
import { mostBytes } from '../codecs/limits.ts';
import { readAll } from '../worker/reading.ts';

export interface Look {
  /** Whether it moves or is a drawing, whatever its URL says. */
  readonly isLeft: boolean;
  /** Stored pixels; null if the format's header does not say. */
  readonly size: readonly [width: number, height: number] | null;
}

export async function look(file: Blob): Promise<Look> {
  const data = new Uint8Array(await file.arrayBuffer());
  const { format, size } = readHeader(data);
  return { isLeft: format === 'SVG' || isMoving(format, data), size };
}

/**
 * Reads the file of a response. In the worst case, a response never ends.
 * @throws RangeError for such files
 */
export async function readFile(response: Response, signal: AbortSignal): Promise<Blob> {
  const judge = (start: Uint8Array) => mostBytes(readHeader(start));
  const tooLarge = (limit: number) => new RangeError(`more than ${limit} bytes`);
  return new Blob([await readAll(response, { signal, judge, tooLarge })]);
}
