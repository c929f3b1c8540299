import { t } from '../texts/texts.ts';
import { draw, make } from './build.ts';
import { type Layer, type PixelValues, shareOf } from './maps.ts';

const short = (value: number): string => value.toFixed(3);

/**
 * Creates one bar per layer. A click on a bar selects its layer. The bar's length is the attention
 * branch's weight, or the mean attention.
 */
export function layerBars(
  layers: readonly Layer[],
  chosen: Layer,
  onChoose: (layer: Layer) => void,
): HTMLElement {
  const words = t.inspector;
  const hasBranches = layers.some(({ kind, of }) => kind === 'block' && of.branches);
  const bars = layers.map((layer) => {
    const share = shareOf(layer);
    const label = barWords(layer, share);
    const bar = make(
      'button',
      {
        type: 'button',
        className: 'bar-of',
        title: label,
        'aria-label': label,
        'aria-pressed': layer === chosen,
        onclick: () => onChoose(layer),
      },
      make('span', { className: 'bar-share' }),
      make('small', {}, spoken(layer.name).replace(/^block /, '')),
    );
    bar.style.setProperty('--share', String(Math.min(1, Math.max(0, share ?? 0))));
    bar.classList.toggle('is-branch', layer.kind === 'block' && layer.of.branches !== null);
    return bar;
  });
  return make(
    'fieldset',
    { className: 'bars' },
    make('legend', {}, hasBranches ? words.branches : words.attentions),
    make('div', { className: 'bars-row' }, ...bars),
  );
}

/**
 * Turns `block3` or `block_3` into `block 3` for screen readers, because the visible label contains
 * only the number.
 */
const spoken = (name: string): string => name.replace(/([a-z])_?(\d+)$/, '$1 $2');

function barWords({ kind, of, ...layer }: Layer, share: number | null): string {
  const name = spoken(layer.name);
  if (kind !== 'block' || share === null) return name;
  const { branches } = of;
  return branches
    ? t.inspector.bar(name, short(branches[0]), short(branches[1]))
    : t.inspector.barMean(name, short(share));
}

const [WIDTH, HEIGHT] = [300, 90];

/** Draws a pixel's attention in each block: the mean and the range over the channels. */
export function pixelChart(values: readonly PixelValues[]): HTMLElement {
  const step = WIDTH / Math.max(1, values.length);
  const [low, high] = [Math.min(0, ...values.map(({ least }) => least)), 1];
  const y = (value: number) => HEIGHT * (1 - (value - low) / (high - low));
  const chart = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true' });
  values.forEach(({ least, mean, most, chosen }, i) => {
    const x = (i + 0.15) * step;
    const width = step * 0.7;
    const range = { x, width, y: y(most), height: Math.max(1, y(least) - y(most)) };
    chart.append(draw('rect', { ...range, class: 'range' }));
    const line = (value: number, name: string) =>
      chart.append(draw('rect', { x, width, y: y(value) - 1, height: 2, class: name }));
    line(mean, 'mean');
    if (chosen !== null) line(chosen, 'chosen');
  });
  // The same numbers as a list, for people who cannot see the chart.
  const rows = values.map(({ name, least, mean, most }) =>
    make('li', {}, t.inspector.pixelRow(name, short(least), short(mean), short(most))),
  );
  return make(
    'div',
    { className: 'pixel-chart' },
    chart,
    make('ul', { className: 'unseen' }, ...rows),
  );
}
