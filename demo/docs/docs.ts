/** The documentation: shows each example's source, and runs the same source. */
import { CrispenImage } from '../../src/element/crispen-image.ts';
import canvasSource from './examples/canvas.ts?raw';
import errorsSource from './examples/errors.ts?raw';
import previewSource from './examples/preview.ts?raw';
import upscaleSource from './examples/upscale.ts?raw';
import react from './recipes/react.jsx?raw';
import serviceWorker from './recipes/service-worker.js?raw';
import svelte from './recipes/svelte.js?raw';
import vue from './recipes/vue.js?raw';

interface Example {
  readonly source: string;
  readonly load: () => Promise<{
    run: (output: HTMLElement, source: Blob) => Promise<void>;
  }>;
}

const EXAMPLES: Readonly<Record<string, Example>> = {
  upscale: { source: upscaleSource, load: () => import('./examples/upscale.ts') },
  canvas: { source: canvasSource, load: () => import('./examples/canvas.ts') },
  preview: { source: previewSource, load: () => import('./examples/preview.ts') },
  errors: { source: errorsSource, load: () => import('./examples/errors.ts') },
};
const RECIPES: Readonly<Record<string, string>> = {
  react,
  vue,
  svelte,
  'service-worker': serviceWorker,
};

/** With the names that a site imports. */
const published = (source: string) =>
  source
    .replace('../../../src/index.ts', 'crispen')
    .replace('../../../src/element/preview.ts', 'crispen/preview');

function listing(text: string): HTMLElement {
  const pre = document.createElement('pre');
  const code = document.createElement('code');
  code.textContent = text.trim();
  pre.append(code);
  return pre;
}

for (const place of document.querySelectorAll<HTMLElement>('[data-example]')) {
  const example = EXAMPLES[place.dataset.example ?? ''];
  const button = Object.assign(document.createElement('button'), {
    type: 'button',
    className: 'button primary',
    textContent: 'Run',
  });
  const output = document.createElement('div');
  output.className = 'output';
  output.role = 'status';
  button.addEventListener('click', async () => {
    button.disabled = true;
    place.dataset.state = 'working';
    output.replaceChildren();
    try {
      const { run } = await example.load();
      await run(output, await (await fetch('./samples/eye.png')).blob());
      place.dataset.state = 'done';
    } catch (error) {
      output.textContent = String(error);
      place.dataset.state = 'failed';
    }
    button.disabled = false;
  });
  place.append(listing(published(example.source)), button, output);
}

for (const place of document.querySelectorAll<HTMLElement>('[data-recipe]')) {
  place.append(listing(RECIPES[place.dataset.recipe ?? '']));
}

// An element's source is the page's own markup, without the folder of this site's weights.
for (const place of document.querySelectorAll<HTMLElement>('[data-gallery]')) {
  const text = place.innerHTML.replaceAll(/\s+/g, ' ').replaceAll(/ base-url=".*?"|=""/g, '');
  place.after(listing(text.replaceAll('> <', '>\n<')));
}

// They scroll sideways, with the keyboard too.
for (const pre of document.querySelectorAll('pre')) {
  Object.assign(pre, { tabIndex: 0, role: 'group', ariaLabel: 'Source' });
}

// Readers come back to a picture after a while.
CrispenImage.idleMs = 60_000;
// Explicitly, because only the built `crispen/element` is marked as having side effects.
customElements.define('crispen-image', CrispenImage);
