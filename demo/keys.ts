import { get } from './dom.ts';

/** What keys do to the comparison. */
export interface Keyed {
  zoomIn(): void;
  zoomOut(): void;
  fit(): void;
  showPixels(): void;
  /** Shows the original alone, or the comparison again. */
  peek(isOn: boolean): void;
}

/** Whether the element with the focus needs a key itself. */
function needs(element: Element | null, key: string): boolean {
  if (!(element instanceof HTMLElement)) return false;
  // A radio button that is chosen does nothing at Space.
  if (element.matches('input[type=radio]')) return key === ' ' && !element.matches(':checked');
  if (key === ' ') return element.matches('button, summary, a, input, select, textarea');
  return (
    element.matches('input:not([type=checkbox]), select, textarea') || element.isContentEditable
  );
}

/** Zoom and Space work wherever the focus is, as long as there is a comparison to be seen. */
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
  // A key that is let go elsewhere is never seen to be.
  addEventListener('blur', () => compare.peek(false));
}
