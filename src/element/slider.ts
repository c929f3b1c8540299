/**
 * Returns a divider's new position (0 to 1) after a key press. `split` is its old position. Arrow
 * keys move the divider by a hundredth (by a tenth with Shift), Page Up and Page Down move it by a
 * tenth, and Home and End move it to the edges. Returns null for all other keys, and for key
 * combinations that the browser uses.
 * @param isVertical whether positions increase downwards, in which case Up and Page Up decrease the
 *   position
 */
export function splitAfterKey(
  event: KeyboardEvent,
  split: number,
  isVertical = false,
): number | null {
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  const step = event.shiftKey ? 0.1 : 0.01;
  const up = isVertical ? -1 : 1;
  const targets: Readonly<Record<string, number>> = {
    ArrowLeft: split - step,
    ArrowDown: split - up * step,
    ArrowRight: split + step,
    ArrowUp: split + up * step,
    PageDown: split - up * 0.1,
    PageUp: split + up * 0.1,
    Home: 0,
    End: 1,
  };
  const target = targets[event.key];
  return target === undefined ? null : Math.min(1, Math.max(0, target));
}
