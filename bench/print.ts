import { UsageError } from '../src/cli/command.ts';
import type { BenchOptions } from './options.ts';
import type { PageResult } from './page/page.ts';
import { formatCeiling, formatTable } from './table.ts';

/** Prints rows as a table or as JSON lines. Returns the exit code: 1 if Crispen itself failed. */
export function printResult({ rows, ceiling, adapter }: PageResult, options: BenchOptions): number {
  const { network, json } = options;
  const other = rows.find((row) => row.network !== network);
  if (other) {
    throw new UsageError(`The weight file is of the network ${other.network}, not ${network}.`);
  }
  const about = `${network} x${rows[0]?.scale} on ${adapter}\n${formatCeiling(ceiling, rows)}`;
  if (json) {
    console.error(about);
    for (const row of rows) console.log(JSON.stringify(row));
  } else console.log(`${about}\n\n${formatTable(rows)}`);
  const failed = ({ engine, error }: (typeof rows)[number]) =>
    error !== undefined && (engine === 'crispen-fused' || engine === 'crispen-unfused');
  return rows.some(failed) ? 1 : 0;
}
