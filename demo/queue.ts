import { withoutFolder } from './format.ts';
import { sizeOf } from './sizes.ts';
import { type Item, type State, sourceSizeOf } from './state.ts';
import { t } from './texts/texts.ts';

/** Summaries of the queue. All of them are pure functions. */

export interface Tally {
  readonly all: number;
  readonly done: number;
  readonly failed: number;
  /** The number of pictures that are waiting or in progress. */
  readonly open: number;
  /** The number of pictures that are waiting for an answer. */
  readonly asking: number;
  readonly cancelled: number;
}

export function tally(items: readonly Item[]): Tally {
  const count = (...kinds: Item['phase']['kind'][]) =>
    items.filter(({ phase }) => kinds.includes(phase.kind)).length;
  return {
    all: items.length,
    done: count('done'),
    failed: count('failed'),
    open: count('waiting', 'working'),
    asking: count('confirm', 'choose'),
    cancelled: count('cancelled'),
  };
}

/** Returns the number of pixels in a requested result. */
function pixelsOf(item: Item): number | null {
  const size = sizeOf(item.settings.size, sourceSizeOf(item));
  return size && size.width * size.height;
}

/**
 * Estimates the milliseconds until the queue is finished, based on the time per pixel for earlier
 * results. Null while this is unknown.
 */
export function queueLeft({ items }: Pick<State, 'items'>): number | null {
  let left = 0;
  let [milliseconds, pixels] = [0, 0];
  for (const { result } of items) {
    if (result === null) continue;
    milliseconds += result.diagnostics.milliseconds;
    pixels += result.width * result.height;
  }
  for (const item of items) {
    const { phase } = item;
    if (phase.kind !== 'working' && phase.kind !== 'waiting') continue;
    if (phase.kind === 'working' && phase.remainingMs !== null) {
      left += phase.remainingMs;
      continue;
    }
    const own = pixelsOf(item);
    // A file whose size is unknown is probably not a picture.
    if (own === null) continue;
    if (pixels === 0) return null;
    const isBegun = phase.kind === 'working' ? 1 - phase.fraction : 1;
    left += (milliseconds / pixels) * own * isBegun;
  }
  return left;
}

/** Describes the queue in one sentence. */
export function queueWords(state: Pick<State, 'items' | 'isPaused'>, left: string): string {
  const { all, done, failed, open, asking, cancelled } = tally(state.items);
  const words = t.queue;
  const parts = [
    words.done(done, all),
    ...(failed > 0 ? [words.failed(failed)] : []),
    ...(cancelled > 0 ? [words.cancelled(cancelled)] : []),
    ...(asking > 0 ? [words.asking(asking)] : []),
    ...(state.isPaused && open > 0 ? [words.paused] : open > 0 && left !== '' ? [left] : []),
  ];
  return parts.join(words.separator);
}

/** Returns the page's title, which shows the progress to visitors who are in another tab. */
export function pageTitle(state: Pick<State, 'items'>, title: string): string {
  const { all, done, open } = tally(state.items);
  const working = state.items.find(({ phase }) => phase.kind === 'working');
  if (working?.phase.kind !== 'working') return open > 0 ? `… ${title}` : title;
  const percent = `${Math.floor(working.phase.fraction * 100)} %`;
  const place = all > 1 ? [t.queue.place(done + 1, all)] : [];
  return [...place, percent, withoutFolder(working.picture.name)].join(', ');
}

/**
 * Returns the message for a visitor who is not looking at the page when the work ends. Null if
 * there is nothing to report.
 */
export function endWords(before: Pick<State, 'items'>, now: Pick<State, 'items'>): string | null {
  const { open, done, failed } = tally(now.items);
  if (tally(before.items).open === 0 || open > 0 || done + failed === 0) return null;
  const { finished, failed: failures, separator, stop } = t.queue;
  const parts = [finished(done), ...(failed > 0 ? [failures(failed)] : [])];
  return `${parts.join(separator)}${stop}`;
}

/** Returns the text on a picture's tile. */
export function tileWords({ picture, phase, trouble }: Item): string {
  const what =
    phase.kind === 'working' ? `${Math.floor(phase.fraction * 100)} %` : t.phases[phase.kind];
  return `${picture.name}, ${what}${trouble ? `: ${trouble.message}` : ''}`;
}
