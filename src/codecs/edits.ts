/** Edits files without copying their pixels. */

import { join } from './bytes.ts';

/** A range and its replacement. If there is no replacement, the range is removed. */
export type Edit = readonly [start: number, end: number, inPlace?: Uint8Array<ArrayBuffer>];

/**
 * After this many parts, the parts are joined, because a view of a short part needs more memory
 * than its bytes.
 */
const MAX_PARTS = 1024;

/**
 * Applies edits, which must not overlap and must be in the order of the file. Even with many edits,
 * the result needs no more memory than the file.
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
