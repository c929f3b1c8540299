/** Edits files without copying their pixel data. */

import { join } from './bytes.ts';

/** A byte range and its replacement. Without a replacement, the range is removed. */
export type Edit = readonly [start: number, end: number, inPlace?: Uint8Array<ArrayBuffer>];

/**
 * Each time this many parts have accumulated, they are copied into one array, because a view of a
 * short part needs more memory than the part's bytes.
 */
const MAX_PARTS = 1024;

/**
 * Applies edits to a file. The edits must not overlap and must be sorted by position. Even after
 * many edits, the result does not need more memory than the file.
 */
export function edited(
  data: Uint8Array<ArrayBuffer>,
  edits: Iterable<Edit>,
): Uint8Array<ArrayBuffer>[] {
  const joined: Uint8Array<ArrayBuffer>[] = [];
  let parts: Uint8Array<ArrayBuffer>[] = [];
  const keep = (part: Uint8Array<ArrayBuffer>) => {
    if (part.length === 0) return;
    parts.push(part);
    if (parts.length < MAX_PARTS) return;
    joined.push(join(parts));
    parts = [];
  };
  let at = 0;
  for (const [start, end, inPlace] of edits) {
    if (start > at) keep(data.subarray(at, start));
    if (inPlace) keep(inPlace);
    at = end;
  }
  keep(data.subarray(at));
  return [...joined, ...parts];
}
