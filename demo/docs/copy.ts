/** How long a button says that it has copied, in milliseconds. */
const COPIED_MS = 2000;

export interface CopyWords {
  readonly copy: string;
  readonly copied: string;
  readonly selected: string;
}

const ENGLISH: CopyWords = { copy: 'Copy', copied: 'Copied', selected: 'Selected' };

/**
 * A click on the button copies the text of `from`.
 * @param words the labels of the button, in the current language
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
      // Without permission, the text is selected, for the keyboard's own copying.
      button.textContent = words().selected;
      getSelection()?.selectAllChildren(from);
    }
    setTimeout(() => {
      button.textContent = words().copy;
    }, COPIED_MS);
  });
}
