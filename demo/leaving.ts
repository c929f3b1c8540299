import { type State, unsavedOf } from './state.ts';

interface Parts {
  /** Called when Back or Forward navigated to the welcome page or away from it. */
  readonly onHome: (isHome: boolean) => void;
}

/** The history state for entries that show pictures. */
const PICTURES = { crispen: 'pictures' };
const showsPictures = (state: unknown): boolean =>
  (state as typeof PICTURES | null)?.crispen === PICTURES.crispen;

/** Returns whether something would be lost if the visitor left the page now. */
export const isAtStake = (state: State): boolean =>
  unsavedOf(state).length > 0 ||
  state.items.some(({ phase }) => phase.kind === 'working' || phase.kind === 'waiting');

/**
 * Controls how visitors leave the page. Back first returns from the pictures to the welcome page.
 * The browser asks before unsaved results are lost.
 */
export class Leaving {
  #isGuarded = false;

  constructor({ onHome }: Parts) {
    addEventListener('popstate', ({ state }) => onHome(!showsPictures(state)));
  }

  render(state: State): void {
    if (!state.isHome && !showsPictures(history.state)) history.pushState(PICTURES, '');
    const isGuarded = isAtStake(state);
    if (isGuarded === this.#isGuarded) return;
    this.#isGuarded = isGuarded;
    // The listener is only added while something is at stake, because browsers do not put a page
    // with this listener into the back-forward cache.
    if (isGuarded) addEventListener('beforeunload', ask);
    else removeEventListener('beforeunload', ask);
  }
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
