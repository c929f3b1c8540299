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
 * @param editOf returns the edit for one of the `parts`, or undefined to keep the part
 */
export function edited<Part>(
  data: Uint8Array<ArrayBuffer>,
  parts: Iterable<Part>,
  editOf: (part: Part) => Edit | undefined,
): Uint8Array<ArrayBuffer>[] {
  const joined: Uint8Array<ArrayBuffer>[] = [];
  let views: Uint8Array<ArrayBuffer>[] = [];
  const keep = (part: Uint8Array<ArrayBuffer>) => {
    if (part.length === 0) return;
    views.push(part);
    if (views.length < MAX_PARTS) return;
    joined.push(join(views));
    views = [];
  };
  let at = 0;
  for (const part of parts) {
    const edit = editOf(part);
    if (!edit) continue;
    const [start, end, inPlace] = edit;
    keep(data.subarray(at, start));
    if (inPlace) keep(inPlace);
    at = end;
  }
  keep(data.subarray(at));
  return [...joined, ...views];
}
