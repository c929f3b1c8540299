import type { AddedTask, Detection, UpscaleOutput, UpscaleProgress } from '../src/index.ts';
import type { ModelChoice } from './models.ts';
import type { Wish } from './sizes.ts';
import type { Size } from './zoom.ts';

/** Everything that the page shows. Plain data; `Session` alone makes new ones. */

/** A picture that somebody gave. `size` is null where the page could not read it. */
export interface Picture {
  readonly file: Blob;
  readonly name: string;
  readonly size: Size | null;
  /** To be drawn; null where the page could not read the file, and in tests. */
  readonly image: HTMLImageElement | null;
}

/** What is to be made of a picture. */
export interface Settings {
  /** Of the model. */
  readonly task: AddedTask;
  readonly size: Wish;
  /** That was asked for; another size may lack it. */
  readonly kind: string;
  readonly model: ModelChoice;
}

/** Who does a job that would take long: a network all the same, or a plain resize. */
export type Way = 'network' | 'lanczos';

/** What the wanted result of a picture is waiting for, or what came of it. */
export type Phase =
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'working';
      readonly stage: UpscaleProgress['stage'] | null;
      readonly fraction: number;
      readonly remainingMs: number | null;
    }
  /**
   * The result may be too large for the browser: go on only when told to. `toFile`: only with a file
   * to write it to.
   */
  | { readonly kind: 'confirm'; readonly warning: string; readonly toFile: boolean }
  /** It would take more than a minute. `cpuMs`: so long; null where no network can do it at all. */
  | { readonly kind: 'choose'; readonly cpuMs: number | null }
  | { readonly kind: 'done' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed' };

export interface Trouble {
  readonly message: string;
  /** What to do about it; may be empty. */
  readonly hint: string;
}

/** A finished result. */
export type Result = Omit<UpscaleOutput, 'image'> & {
  /** Of the settings that it was made with. */
  readonly key: string;
  readonly settings: Settings;
  /**
   * PNG with everything that the picture had: exact values, profile, EXIF and XMP; without the last two
   * where there is a `preview`. Null: it was written to the file called `savedAs`.
   */
  readonly file: Blob | null;
  readonly savedAs: string;
};

/** A picture of the queue. */
export interface Item {
  readonly id: string;
  readonly picture: Picture;
  readonly settings: Settings;
  readonly phase: Phase;
  readonly trouble: Trouble | null;
  /** Every result that was made of it, the oldest first. */
  readonly results: readonly Result[];
  /** Keys of those that the visitor has a file of. */
  readonly saved: readonly string[];
  /** The one that is shown: the last that succeeded. */
  readonly result: Result | null;
  /** The answer to `choose`. */
  readonly way: Way | null;
  /** How much of the result is in what is shown and saved, 0 to 1; the rest is a plain resize. */
  readonly strength: number;
  /** The visitor agreed to a very large result. */
  readonly confirmed: boolean;
}

export interface State {
  readonly detection: Detection | null;
  /** The queue, in the order of its work. */
  readonly items: readonly Item[];
  /** Id of the picture on the stage. */
  readonly selected: string | null;
  /** The welcome page is shown over the pictures, which stay. */
  readonly isHome: boolean;
  /** Of the next picture. */
  readonly settings: Settings;
  /** The selected picture's result as it can be drawn; null while it is being read. */
  readonly drawing: { readonly result: Result; readonly image: ImageBitmap } | null;
  /** No further picture begins. */
  readonly isPaused: boolean;
  /** Pictures that were just removed, to be put back. */
  readonly removed: readonly Item[];
  /** The last thing that went wrong beside the pictures, until something new is started. */
  readonly trouble: Trouble | null;
}

export const selectedOf = (state: State): Item | null =>
  state.items.find(({ id }) => id === state.selected) ?? null;

/** Results that exist nowhere but on the page. */
export const unsavedOf = (state: State): Result[] =>
  state.items.flatMap(({ results, saved }) => results.filter(({ key }) => !saved.includes(key)));
