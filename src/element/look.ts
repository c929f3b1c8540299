/**
 * Facts about an image that only the file's bytes contain; loaded when the first image needs it.
 */
import { isMoving } from '../codecs/frames.ts';
import { readHeader } from '../codecs/header.ts';

export interface Look {
  /** It moves or is a drawing, whatever its URL says. */
  readonly isLeft: boolean;
  /** Stored pixels; null if the format's header does not say. */
  readonly size: readonly [width: number, height: number] | null;
}

export async function look(file: Blob): Promise<Look> {
  const data = new Uint8Array(await file.arrayBuffer());
  const { format, size } = readHeader(data);
  return { isLeft: format === 'SVG' || isMoving(format, data), size };
}
