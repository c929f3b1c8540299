/** How long a button says that it has copied, in milliseconds. */
const COPIED_MS = 2000;

/** A click on the button copies the text of `from`. */
export function copies(button: HTMLButtonElement, from: HTMLElement): void {
  const { textContent: label } = button;
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(from.textContent ?? '');
      button.textContent = 'Copied';
    } catch {
      // Without permission, the text is selected, for the keyboard's own copying.
      button.textContent = 'Selected';
      getSelection()?.selectAllChildren(from);
    }
    setTimeout(() => {
      button.textContent = label;
    }, COPIED_MS);
  });
}
