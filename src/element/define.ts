/** Registers `<crispen-image>`; import it for this effect. */
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
