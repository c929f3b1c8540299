/** How long a button shows that the text was copied, in milliseconds. */
const COPIED_MS = 2000;

export interface CopyWords {
  readonly copy: string;
  readonly copied: string;
  readonly selected: string;
}

const ENGLISH: CopyWords = { copy: 'Copy', copied: 'Copied', selected: 'Selected' };

/**
 * Makes a click on the button copy the text of `from`.
 * @param words returns the labels of the button, in the current language
 */
export function copies(
  button: HTMLButtonElement,
  from: HTMLElement,
  words: () => CopyWords = () => ENGLISH,
): void {
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(from.textContent ?? '');
      button.textContent = words().copied;
    } catch {
      // Without permission to copy, the text is selected, so the user can copy it with the
      // keyboard.
      button.textContent = words().selected;
      getSelection()?.selectAllChildren(from);
    }
    setTimeout(() => {
      button.textContent = words().copy;
    }, COPIED_MS);
  });
}
