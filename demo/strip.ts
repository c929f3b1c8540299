import { copyOf, get, onClick, say } from './dom.ts';
import { timeLeft, withoutFolder } from './format.ts';
import { queueLeft, queueWords, tally, tileWords } from './queue.ts';
import type { Item, State } from './state.ts';
import { t } from './texts/texts.ts';

export interface StripActions {
  select(id: string): void;
  move(id: string, place: number): void;
  remove(ids: readonly string[]): void;
  pause(isPaused: boolean): void;
  cancelAll(): void;
  retryAll(): void;
}

/** The data type for tiles that are dragged within the strip. Files never have this type. */
const DRAGGED = 'application/x-crispen-tile';

/**
 * The filmstrip: one tile per picture, and actions for all pictures. It is visible if there are at
 * least two pictures.
 */
export class Strip {
  readonly #actions: StripActions;
  readonly #tiles = new Map<string, HTMLElement>();
  #state: State | null = null;

  constructor(actions: StripActions) {
    this.#actions = actions;
    const list = get('strip-list');
    list.addEventListener('click', (event) => {
      const id = this.#idAt(event);
      if (id !== null) actions.select(id);
    });
    list.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('dragstart', (event) => {
      event.dataTransfer?.setData(DRAGGED, this.#idAt(event) ?? '');
    });
    list.addEventListener('dragover', (event) => {
      if (!event.dataTransfer?.types.includes(DRAGGED)) return;
      event.preventDefault();
      event.stopPropagation();
      event.dataTransfer.dropEffect = 'move';
    });
    list.addEventListener('drop', (event) => {
      const id = event.dataTransfer?.getData(DRAGGED) ?? '';
      if (id === '') return;
      event.preventDefault();
      event.stopPropagation();
      const onto = this.#idAt(event);
      const place = this.#place(onto);
      actions.move(id, onto === null ? (this.#state?.items.length ?? 1) - 1 : place);
    });
    onClick('queue-earlier', () => this.#moveBy(-1));
    onClick('queue-later', () => this.#moveBy(1));
    onClick('queue-remove', () => {
      const { selected } = this.#state ?? {};
      if (selected) actions.remove([selected]);
    });
    onClick('queue-clear', () => {
      actions.remove(this.#state?.items.map(({ id }) => id) ?? []);
    });
    onClick('queue-pause', () => actions.pause(!this.#state?.isPaused));
    onClick('queue-cancel', actions.cancelAll);
    onClick('queue-retry', actions.retryAll);
  }

  render(state: State): void {
    this.#state = state;
    const { items, selected, isPaused } = state;
    const isShown = items.length > 1 && !state.isHome;
    get('strip').hidden = !isShown;
    if (!isShown) return;
    this.#renderTiles(items, selected);
    const { open, failed, cancelled, done } = tally(items);
    say(get('queue-status'), queueWords(state, timeLeft(open > 0 ? queueLeft(state) : null)));
    const pause = get('queue-pause');
    pause.hidden = open === 0;
    say(pause, isPaused ? t.queue.resume : t.page.pause);
    get('queue-cancel').hidden = open === 0;
    get('queue-retry').hidden = failed + cancelled === 0;
    get('queue-save').hidden = done === 0;
    const place = this.#place(selected);
    get<HTMLButtonElement>('queue-earlier').disabled = place <= 0;
    get<HTMLButtonElement>('queue-later').disabled = place < 0 || place === items.length - 1;
  }

  #renderTiles(items: readonly Item[], selected: string | null): void {
    const list = get('strip-list');
    for (const [id, tile] of this.#tiles) {
      if (items.some((item) => item.id === id)) continue;
      tile.remove();
      this.#tiles.delete(id);
    }
    for (const [i, item] of items.entries()) {
      const tile = this.#tiles.get(item.id) ?? this.#make(item);
      if (list.children[i] !== tile) {
        const hadFocus = tile.contains(document.activeElement);
        list.insertBefore(tile, list.children[i] ?? null);
        if (hadFocus) tile.querySelector('button')?.focus();
      }
      const button = tile.querySelector('button')!;
      const { phase } = item;
      tile.dataset.phase = phase.kind;
      const words = tileWords(item);
      if (button.title !== words) {
        button.title = words;
        button.setAttribute('aria-label', words);
      }
      const isSelected = item.id === selected;
      if (isSelected !== (button.getAttribute('aria-current') === 'true')) {
        button.setAttribute('aria-current', String(isSelected));
        if (isSelected) tile.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      }
      const fraction = phase.kind === 'working' ? phase.fraction : phase.kind === 'done' ? 1 : 0;
      tile.style.setProperty('--fraction', String(fraction));
    }
  }

  #make({ id, picture }: Item): HTMLElement {
    const tile = copyOf('tile');
    tile.dataset.id = id;
    const image = tile.querySelector('img')!;
    if (picture.image) image.src = picture.image.src;
    else image.hidden = true;
    tile.querySelector('small')!.textContent = withoutFolder(picture.name);
    this.#tiles.set(id, tile);
    return tile;
  }

  #idAt(event: Event): string | null {
    return (event.target as HTMLElement).closest('li')?.dataset.id ?? null;
  }

  #place(id: string | null): number {
    return this.#state?.items.findIndex((item) => item.id === id) ?? -1;
  }

  #moveBy(step: number): void {
    const { selected } = this.#state ?? {};
    if (selected) this.#actions.move(selected, this.#place(selected) + step);
  }

  /** Handles keys. Arrow keys select a tile, arrow keys with Alt move it, and Delete removes it. */
  #key(event: KeyboardEvent): void {
    const id = this.#idAt(event);
    const items = this.#state?.items ?? [];
    if (id === null || event.ctrlKey || event.metaKey) return;
    const place = this.#place(id);
    const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };
    const step = steps[event.key];
    if (event.key === 'Delete') this.#actions.remove([id]);
    else if (step === undefined) return;
    else if (event.altKey) this.#actions.move(id, place + step);
    else {
      const next = items[place + step];
      if (next) this.#tiles.get(next.id)?.querySelector('button')?.focus();
    }
    event.preventDefault();
  }
}
