import { get } from './dom.ts';
import { endWords, pageTitle } from './queue.ts';
import type { State } from './state.ts';
import { t } from './texts/texts.ts';

const KEY = 'crispen-notify';

/**
 * Informs visitors who are not looking at the page: through the page's title, and through a
 * notification when the work ends.
 */
export class Elsewhere {
  readonly #wanted = get<HTMLInputElement>('notify');
  #last: State | null = null;

  constructor() {
    const isPossible = 'Notification' in window && Notification.permission !== 'denied';
    get('notify-row').hidden = !isPossible;
    if (!isPossible) return;
    this.#wanted.checked =
      localStorage.getItem(KEY) === 'on' && Notification.permission === 'granted';
    this.#wanted.addEventListener('change', async () => {
      if (this.#wanted.checked && (await Notification.requestPermission()) !== 'granted') {
        this.#wanted.checked = false;
      }
      localStorage.setItem(KEY, this.#wanted.checked ? 'on' : 'off');
    });
  }

  render(state: State): void {
    const title = pageTitle(state, t.page.title);
    if (document.title !== title) document.title = title;
    const words = this.#last && endWords(this.#last, state);
    this.#last = state;
    if (words && document.hidden && this.#wanted.checked) {
      const note = new Notification('Crispen', { body: words, icon: './icon-180.png' });
      note.addEventListener('click', () => window.focus());
    }
  }
}
