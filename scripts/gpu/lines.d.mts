/** A section of the report that `report.mjs` writes. */
interface Section {
  readonly seconds?: number;
  /** The output of the section's command. */
  readonly result?: unknown;
  readonly error?: string;
  readonly skipped?: string;
}

export function linesOf(name: string, section: Section): string[];
