import type { Size } from '../src/geometry.ts';
import { MAX_FACTOR } from '../src/image/size.ts';
import { get, say } from './dom.ts';
import { isUsual, sizeNote, turned, type Wish, wishKey, wishOf, wishWords } from './sizes.ts';
import { t } from './texts/texts.ts';

const OWN = {
  scale: { label: 'times', max: MAX_FACTOR, step: 0.1 },
  width: { label: 'width', max: 32_768, step: 1 },
  height: { label: 'height', max: 32_768, step: 1 },
} as const;
type OwnKind = keyof typeof OWN;

/** Offers further sizes in addition to the usual ones, from a list or as typed numbers. */
export class SizeView {
  #asked: OwnKind | null = null;
  #source: Size | null = null;

  constructor(onSize: (size: Wish) => void) {
    const select = get<HTMLSelectElement>('other-size');
    const value = get<HTMLInputElement>('own-size-value');
    select.addEventListener('change', () => {
      this.#asked = Object.hasOwn(OWN, select.value) ? (select.value as OwnKind) : null;
      get('own-size').hidden = this.#asked === null;
      if (this.#asked) {
        const { label, max, step } = OWN[this.#asked];
        say(get('own-size-label'), t.size[label]);
        Object.assign(value, {
          max: String(max),
          min: String(step),
          step: String(step),
          value: '',
        });
        value.focus();
      } else if (select.value !== '') onSize(this.#wishOf(select.selectedOptions[0]));
    });
    get<HTMLFormElement>('own-size').addEventListener('submit', (event) => {
      event.preventDefault();
      const wish = this.#asked && wishOf(this.#asked, value.valueAsNumber);
      if (!wish) return;
      this.#asked = null;
      get('own-size').hidden = true;
      onSize(wish);
    });
  }

  /**
   * Returns the size that an option stands for. Print sizes are rotated to the picture's
   * orientation.
   */
  #wishOf({ value, dataset }: HTMLOptionElement): Wish {
    const wish: Wish = JSON.parse(value);
    return 'turns' in dataset ? turned(wish, this.#source) : wish;
  }

  render(wish: Wish, source: Size | null): void {
    this.#source = source;
    const select = get<HTMLSelectElement>('other-size');
    const note = sizeNote(wish, source);
    say(get('size-note'), note);
    get('size-note').hidden = note === '';
    // While the visitor is typing a size, the list shows its kind (scale, width or height).
    if (this.#asked) return;
    const listed = [...select.options].find(
      (option) => option.value.startsWith('{') && wishKey(this.#wishOf(option)) === wishKey(wish),
    );
    const [first] = select.options;
    say(first as HTMLOptionElement, isUsual(wish) || listed ? t.size.another : wishWords(wish));
    select.value = isUsual(wish) || !listed ? '' : listed.value;
  }
}
