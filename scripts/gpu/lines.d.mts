/** A section of the report of `report.mjs`. */
interface Section {
  readonly seconds?: number;
  /** What its command printed. */
  readonly result?: unknown;
  readonly error?: string;
  readonly skipped?: string;
}

export function linesOf(name: string, section: Section): string[];
