/** Registers `<crispen-image>`. Importing this module is enough. */
import { CrispenImage } from './crispen-image.ts';

export * from './crispen-image.ts';

declare global {
  interface HTMLElementTagNameMap {
    'crispen-image': CrispenImage;
  }
}

if ('customElements' in globalThis && !customElements.get('crispen-image')) {
  customElements.define('crispen-image', CrispenImage);
}
