/**
 * The new position of a divider at `split` (0 to 1) after a key: arrows move it by a hundredth
 * (with Shift by a tenth), PageUp and PageDown by a tenth, Home and End to the edges. Null for
 * every other key, and for combinations that belong to the browser.
 */
export function splitAfterKey(event: KeyboardEvent, split: number): number | null {
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  const step = event.shiftKey ? 0.1 : 0.01;
  const targets: Readonly<Record<string, number>> = {
    ArrowLeft: split - step,
    ArrowDown: split - step,
    ArrowRight: split + step,
    ArrowUp: split + step,
    PageDown: split - 0.1,
    PageUp: split + 0.1,
    Home: 0,
    End: 1,
  };
  const target = targets[event.key];
  return target === undefined ? null : clampSplit(target);
}

/** Clamps to 0..1. */
export const clampSplit = (split: number): number => Math.min(1, Math.max(0, split));
