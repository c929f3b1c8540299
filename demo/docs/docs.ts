/** Runs the examples on the documentation page, and copies its listings on request. */
import { CrispenImage } from '../../src/element/crispen-image.ts';
import { copies } from './copy.ts';

type Run = (output: HTMLElement, source: Blob) => Promise<void>;

const EXAMPLES: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  upscale: () => import('./examples/upscale.ts'),
  canvas: () => import('./examples/canvas.ts'),
  preview: () => import('./examples/preview.ts'),
  errors: () => import('./examples/errors.ts'),
};

for (const place of document.querySelectorAll<HTMLElement>('[data-example]')) {
  const load = EXAMPLES[place.dataset.example ?? ''];
  const button = place.querySelector<HTMLButtonElement>('.run')!;
  const output = place.querySelector<HTMLElement>('.output')!;
  button.addEventListener('click', async () => {
    button.disabled = true;
    place.dataset.state = 'working';
    output.replaceChildren();
    try {
      const { run } = await load();
      await run(output, await (await fetch('./samples/eye.png')).blob());
      place.dataset.state = 'done';
    } catch (error) {
      output.textContent = String(error);
      place.dataset.state = 'failed';
    }
    button.disabled = false;
  });
}

for (const button of document.querySelectorAll<HTMLButtonElement>('.copy')) {
  copies(button, button.previousElementSibling as HTMLElement);
}

// Readers come back to a picture after a while.
CrispenImage.idleMs = 60_000;
// The element is defined explicitly, because only the built `crispen/element` is marked as having
// side effects.
customElements.define('crispen-image', CrispenImage);
