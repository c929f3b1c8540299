/** What only a file's bytes tell of a picture; loaded when the first picture may be worth it. */
import { isMoving } from '../codecs/frames.ts';
import { readHeader } from '../codecs/header.ts';

export interface Look {
  /** It moves or is a drawing, whatever its address says. */
  readonly isLeft: boolean;
  /** Pixels as stored; null where the format's header does not tell. */
  readonly size: readonly [width: number, height: number] | null;
}

export async function look(file: Blob): Promise<Look> {
  const data = new Uint8Array(await file.arrayBuffer());
  const { format, size } = readHeader(data);
  return { isLeft: format === 'SVG' || isMoving(format, data), size };
}
