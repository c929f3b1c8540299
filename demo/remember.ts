import { TASKS, type Task } from '../src/catalog/task.ts';
import type { Session } from './session.ts';
import { type Wish, wishOf } from './sizes.ts';
import type { State } from './state.ts';

/** The local storage key for the last visit's settings. */
const KEY = 'crispen-settings';

interface Remembered {
  readonly task: Task;
  readonly size: Wish;
  readonly kind: string;
}

/** Returns the stored settings. Null if they are missing or something else wrote them. */
function read(): Remembered | null {
  try {
    const { task, size, kind } = JSON.parse(localStorage.getItem(KEY) ?? '');
    const isSize = 'fit' in size ? size.fit.width > 0 && size.fit.height > 0 : isWish(size);
    return TASKS.includes(task) && isSize && typeof kind === 'string' ? { task, size, kind } : null;
  } catch {
    return null;
  }
}

const isWish = (size: Readonly<Record<string, number>>): boolean =>
  (['scale', 'width', 'height'] as const).some(
    (key) => key in size && wishOf(key, size[key]) !== null,
  );

/** Restores the last visit's settings, except for a model that the visitor added. */
export function recallSettings(session: Session): void {
  const remembered = read();
  if (!remembered) return;
  const { task, size, kind } = remembered;
  session.setKind(kind);
  if (task !== 'upscale') session.setTask(task);
  session.setSize(size);
}

let written = '';

/** Stores the settings if they have changed. */
export function rememberSettings({ settings }: State): void {
  const { task, size, kind, model } = settings;
  const isAdded = model.kind === model.id && kind === model.id;
  const text = JSON.stringify({ task, size, kind } satisfies Omit<Remembered, 'task'> & {
    task: string;
  });
  if (isAdded || text === written) return;
  written = text;
  remember(KEY, text);
}

/** Stores a text for the next visit. */
export function remember(key: string, text: string): void {
  try {
    localStorage.setItem(key, text);
  } catch {
    // Storage is not available, so the next visit will start with the defaults.
  }
}
