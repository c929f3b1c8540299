import { get } from './dom.ts';

/** The comparison's actions that keys trigger. */
export interface Keyed {
  zoomIn(): void;
  zoomOut(): void;
  fit(): void;
  showPixels(): void;
  /** Shows only the original, or the comparison again. */
  peek(isOn: boolean): void;
}

/** Returns whether the focused element handles a key itself. */
function needs(element: Element | null, key: string): boolean {
  if (!(element instanceof HTMLElement)) return false;
  // Space has no effect on a checked radio button.
  if (element.matches('input[type=radio]')) return key === ' ' && !element.matches(':checked');
  if (key === ' ') return element.matches('button, summary, a, input, select, textarea');
  return (
    element.matches('input:not([type=checkbox]), select, textarea') || element.isContentEditable
  );
}

/**
 * Handles the zoom keys and Space. They work wherever the focus is, while a comparison is visible.
 */
export function listenForKeys(compare: Keyed): void {
  const actions: Readonly<Record<string, () => void>> = {
    '+': () => compare.zoomIn(),
    '=': () => compare.zoomIn(),
    '-': () => compare.zoomOut(),
    '0': () => compare.fit(),
    '1': () => compare.showPixels(),
    ' ': () => compare.peek(true),
  };
  addEventListener('keydown', (event) => {
    const action = actions[event.key];
    if (!action || event.altKey || event.ctrlKey || event.metaKey) return;
    if (!get('compare').checkVisibility() || needs(document.activeElement, event.key)) return;
    event.preventDefault();
    action();
  });
  addEventListener('keyup', ({ key }) => {
    if (key === ' ') compare.peek(false);
  });
  // If a key is released in another window, this page does not receive the event.
  addEventListener('blur', () => compare.peek(false));
}
