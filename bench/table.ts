import type { Ceiling } from './ceiling.ts';
import type { Row } from './contender.ts';

export const COLUMNS = [
  'engine',
  'threads',
  'size',
  'median ms',
  'first ms',
  'times',
  'GPU MiB',
  'dispatches',
  'max diff',
  'GFLOP/s per thread',
  'of multiply-adds',
  'of bandwidth',
] as const;

/**
 * Converts a row to text, in the order of `COLUMNS`. `times` is the median relative to the median
 * for `crispen-fused`.
 */
export function cells(row: Row, rows: readonly Row[]): string[] {
  const fused = rows.find(
    ({ engine, width, height }) =>
      engine === 'crispen-fused' && width === row.width && height === row.height,
  )?.medianMs;
  const times = fused && row.medianMs !== null ? row.medianMs / fused : null;
  return [
    row.engine,
    String(row.threads ?? '-'),
    `${row.width}x${row.height}`,
    milliseconds(row.medianMs),
    milliseconds(row.firstMs),
    times === null ? '-' : `${times.toFixed(times < 10 ? 2 : 0)}x`,
    row.gpuBytes === null ? '-' : (row.gpuBytes / 2 ** 20).toFixed(1),
    String(row.dispatches ?? '-'),
    row.maxAbsDiff === null ? '-' : row.maxAbsDiff.toExponential(1),
    row.gflopsPerThread?.toFixed(1) ?? '-',
    percent(row.multiplyAddShare),
    percent(row.bandwidthShare),
  ];
}

/** Formats a table. Columns are as wide as their content. An error follows its row. */
export function formatTable(rows: readonly Row[]): string {
  const table = [[...COLUMNS], ...rows.map((row) => cells(row, rows))];
  const widths = COLUMNS.map((_, i) => Math.max(...table.map((line) => line[i].length)));
  return table
    .flatMap((line, index) => {
      const text = line.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
      );
      const error = rows[index - 1]?.error;
      return [text.join('  ').trimEnd(), ...(error === undefined ? [] : [`  ${error}`])];
    })
    .join('\n');
}

/** Describes a network's cost, which is the same on every device, and this device's ceilings. */
export function formatCeiling(
  { multiplyAdds, bandwidth, core }: Ceiling,
  rows: readonly Row[],
): string {
  const billion = (perSecond: number) => `${(perSecond / 1e9).toPrecision(3)} billion`;
  const { f32, f16 } = multiplyAdds;
  const plans = [...new Set(rows.map(({ engine }) => engine))].flatMap((engine) => {
    const row = rows.findLast((one) => one.engine === engine);
    if (row?.multiplyAddsPerPixel === undefined || row.bytesPerPixel === undefined) return [];
    const { multiplyAddsPerPixel, bytesPerPixel } = row;
    return [
      `${engine}: ${Math.round(multiplyAddsPerPixel)} multiply-adds and ${Math.round(bytesPerPixel)} bytes per LR pixel`,
    ];
  });
  return [
    `Ceilings: ${f32 === null ? 'no' : billion(f32)} multiply-adds/s in f32, ${f16 === null ? 'none' : billion(f16)} in f16; ${billion(bandwidth)} bytes/s copied${core === undefined ? '' : `; ${billion(core)} multiply-adds/s on one core of the CPU`}`,
    ...plans,
  ].join('\n');
}

const milliseconds = (ms: number | null): string =>
  ms === null ? '-' : ms < 100 ? ms.toFixed(2) : ms.toFixed(0);

const percent = (share: number | undefined): string =>
  share === undefined ? '-' : `${(share * 100).toPrecision(3)} %`;
