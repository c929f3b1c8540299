import type { Rect } from '../src/geometry.ts';
import type { AddedTask, Detection, UpscaleOutput, UpscaleProgress } from '../src/index.ts';
import type { ModelOption } from './models.ts';
import type { Wish } from './sizes.ts';
import type { Size } from './zoom.ts';

/** Everything that the page shows, as plain data. Only `Session` makes new states. */

/** A picture from the visitor. `size` is null if the page could not read it. */
export interface Picture {
  readonly file: Blob;
  readonly name: string;
  readonly size: Size | null;
  /** For drawing; null if the page could not read the file, and in tests. */
  readonly image: HTMLImageElement | null;
}

/** How a picture is to be processed. */
export interface Settings {
  /** The model's task. */
  readonly task: AddedTask;
  readonly size: Wish;
  /** The requested kind. Another size may not have it. */
  readonly kind: string;
  readonly model: ModelOption;
}

/** How a long job runs: with the network anyway, or as a plain resize. */
export type Way = 'network' | 'lanczos';

/** What a picture's requested result waits for, or its outcome. */
export type Phase =
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'working';
      readonly stage: UpscaleProgress['stage'] | null;
      readonly fraction: number;
      readonly remainingMs: number | null;
    }
  /**
   * The result may be too large for the browser and needs a confirmation. `toFile`: it needs a file
   * to write to.
   */
  | { readonly kind: 'confirm'; readonly warning: string; readonly toFile: boolean }
  /** It would take more than a minute. `cpuMs`: the estimate; null if no network can do it. */
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
  /** Key of what made it: the settings and the part of the picture. */
  readonly key: string;
  readonly settings: Settings;
  readonly crop: Rect | null;
  /**
   * A PNG with everything that the picture had: exact values, profile, EXIF and XMP; without the
   * last two if there is a `preview`. Null: it was written to the file called `savedAs`.
   */
  readonly file: Blob | null;
  readonly savedAs: string;
};

/** A picture of the queue. */
export interface Item {
  readonly id: string;
  readonly picture: Picture;
  /** The part to process, in pixels of the picture; null: all of it. */
  readonly crop: Rect | null;
  readonly settings: Settings;
  readonly phase: Phase;
  readonly trouble: Trouble | null;
  /** All results made from it, the oldest first. */
  readonly results: readonly Result[];
  /** Keys of the results that the visitor has saved. */
  readonly saved: readonly string[];
  /** The visible result: the last that succeeded. */
  readonly result: Result | null;
  /** The answer to `choose`. */
  readonly way: Way | null;
  /** The share of the result in the shown and saved image, 0 to 1; the rest is a plain resize. */
  readonly strength: number;
  /** The visitor confirmed a very large result. */
  readonly confirmed: boolean;
}

export interface State {
  readonly detection: Detection | null;
  /** The queue, in order. */
  readonly items: readonly Item[];
  /** Id of the selected picture. */
  readonly selected: string | null;
  /** The welcome page covers the pictures, which stay. */
  readonly isHome: boolean;
  /** Settings of the next picture. */
  readonly settings: Settings;
  /** The selected picture's result for drawing; null while it is being decoded. */
  readonly drawing: { readonly result: Result; readonly image: ImageBitmap } | null;
  /** No further picture starts. */
  readonly isPaused: boolean;
  /** Pictures that were just removed and can be put back. */
  readonly removed: readonly Item[];
  /** The last problem apart from the pictures, until something new is started. */
  readonly trouble: Trouble | null;
}

export const selectedOf = (state: State): Item | null =>
  state.items.find(({ id }) => id === state.selected) ?? null;

/** Size of what is processed; null if the page could not read the picture. */
export const sourceSizeOf = ({ crop, picture }: Pick<Item, 'crop' | 'picture'>): Size | null =>
  crop ?? picture.size;

/** Results that exist only on the page. */
export const unsavedOf = (state: State): Result[] =>
  state.items.flatMap(({ results, saved }) => results.filter(({ key }) => !saved.includes(key)));
