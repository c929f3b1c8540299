/**
 * Formats results as text for an issue or an email. The text is always in English, because
 * maintainers read it.
 */
import type { Ceiling } from '../ceiling.ts';
import type { Row } from '../contender.ts';
import { formatCeiling, formatTable } from '../table.ts';

export interface Machine {
  readonly userAgent: string;
  readonly cores: number;
  readonly adapter: string;
}

/** @param repeats the number of runs for each median */
export function report(
  rows: readonly Row[],
  ceiling: Ceiling,
  { userAgent, cores, adapter }: Machine,
  repeats: number,
  date: Date,
): string {
  const [{ network, scale }] = rows;
  return [
    `Crispen bench, ${date.toISOString().slice(0, 10)}`,
    `Browser: ${userAgent}`,
    `Cores: ${cores}`,
    `Adapter: ${adapter}`,
    `Network: ${network} x${scale}, ${repeats} ${repeats === 1 ? 'run' : 'runs'} each`,
    formatCeiling(ceiling, rows),
    '',
    formatTable(rows),
    '',
  ].join('\n');
}
