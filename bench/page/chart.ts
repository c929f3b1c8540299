/** Shows results as bars, as words and as a table. */
import type { Ceiling } from '../ceiling.ts';
import type { EngineId, Row } from '../contender.ts';
import { cells } from '../table.ts';
import { t } from './texts/texts.ts';

export function nameOf({ engine }: Pick<Row, 'engine'>): string {
  const names: Readonly<Partial<Record<EngineId, string>>> = t.engines;
  return names[engine] ?? engine;
}

interface Bar {
  readonly name: string;
  readonly value: string;
  /** The bar's length, from 0 to 1; null if nothing was measured. */
  readonly length: number | null;
  readonly isBest?: boolean;
}

/** Returns one bar per engine that shows the engine's median. The fastest engine is marked. */
export function timeBars(rows: readonly Row[], { multiplyAdds }: Ceiling): Bar[] {
  const times = rows.flatMap(({ medianMs }) => medianMs ?? []);
  const [least, most] = [Math.min(...times), Math.max(...times)];
  return rows.map((row) => {
    const { medianMs, precision } = row;
    // The library's messages are in English. The reason for this error is known, so it can be
    // translated.
    const isWithoutHalf = precision === 'f16' && multiplyAdds.f16 === null;
    const error = isWithoutHalf ? t.noHalf : (row.error ?? t.unknown);
    return {
      name: nameOf(row),
      value: medianMs === null ? t.notMeasured(error) : timeOf(medianMs),
      length: medianMs === null ? null : medianMs / most,
      isBest: medianMs === least,
    };
  });
}

/** Returns the known shares of both ceilings: multiply-adds and memory bandwidth. */
export function shareBars(rows: readonly Row[]): Bar[] {
  return rows.flatMap((row) =>
    (
      [
        [t.multiplyAdds, row.multiplyAddShare],
        [t.memory, row.bandwidthShare],
      ] as const
    ).flatMap(([nameIn, share]) =>
      share === undefined
        ? []
        : [
            {
              name: nameIn(nameOf(row)),
              value: `${(share * 100).toPrecision(3)} %`,
              length: Math.min(1, share),
            },
          ],
    ),
  );
}

/**
 * Describes the fastest result in words, because it matters most. Empty if nothing was measured.
 */
export function summaryOf(rows: readonly Row[]): string {
  const timed = rows.filter(({ medianMs }) => medianMs !== null);
  const [best] = timed.sort((a, b) => a.medianMs! - b.medianMs!);
  if (!best) return '';
  const [width, height] = [best.width * best.scale, best.height * best.scale];
  const perSecond = (width * height) / (best.medianMs! / 1000) / 1e6;
  return t.summary(width, height, timeOf(best.medianMs!), perSecond.toPrecision(2));
}

const timeOf = (ms: number): string =>
  ms < 1000 ? t.milliseconds(ms.toPrecision(3)) : t.seconds((ms / 1000).toPrecision(3));

export function showBars(list: HTMLElement, bars: readonly Bar[]): void {
  list.replaceChildren(
    ...bars.map(({ name, value, length, isBest = false }) => {
      const item = document.createElement('li');
      item.classList.toggle('is-best', isBest);
      item.classList.toggle('is-failed', length === null);
      const part = (className: string, text: string) => {
        const span = document.createElement('span');
        Object.assign(span, { className, textContent: text });
        return item.appendChild(span);
      };
      part('name', name);
      if (length !== null) part('length', '').style.setProperty('--share', String(length));
      part('value', value);
      return item;
    }),
  );
}

export function showTable(table: HTMLTableElement, rows: readonly Row[]): void {
  const line = (kind: 'th' | 'td', texts: readonly string[]) => {
    const row = table.insertRow();
    for (const text of texts) row.appendChild(document.createElement(kind)).textContent = text;
  };
  table.replaceChildren();
  line('th', t.columns);
  for (const row of rows) line('td', [nameOf(row), ...cells(row, rows).slice(1)]);
}

/** Returns a note on the ceilings. It also explains why some shares are missing, if any are. */
export const noteOf = ({ multiplyAdds }: Ceiling): string =>
  multiplyAdds.f16 === null ? t.peakWithoutHalf : t.peak;
