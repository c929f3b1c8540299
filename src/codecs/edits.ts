/** Edits files without copying their pixels. */

export type Range = readonly [start: number, end: number];

/** A range and its replacement. Without a replacement, the range is removed. */
export type Edit = readonly [...Range, inPlace?: Uint8Array<ArrayBuffer>];

/** The bytes after non-overlapping edits, given in any order. */
export function edited(
  data: Uint8Array<ArrayBuffer>,
  edits: readonly Edit[],
): Uint8Array<ArrayBuffer>[] {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const [start, end, inPlace] of [...edits].sort(([a], [b]) => a - b)) {
    parts.push(data.subarray(at, start));
    if (inPlace) parts.push(inPlace);
    at = end;
  }
  return [...parts, data.subarray(at)];
}
