import type { Rect, Size } from '../src/geometry.ts';
import type { AddedTask, Detection, UpscaleOutput, UpscaleProgress } from '../src/index.ts';
import type { ModelOption } from './models.ts';
import type { Wish } from './sizes.ts';

/** All data that the page shows, as plain objects. Only `Session` creates new states. */

/** A picture from the visitor. `size` is null if the page could not read the picture. */
export interface Picture {
  readonly file: Blob;
  readonly name: string;
  readonly size: Size | null;
  /** An image for drawing. Null in tests, or if the page could not read the file. */
  readonly image: HTMLImageElement | null;
}

/** The settings for processing a picture. */
export interface Settings {
  /** The model's task. */
  readonly task: AddedTask;
  readonly size: Wish;
  /** The requested kind. A model of this kind might not exist for every size. */
  readonly kind: string;
  readonly model: ModelOption;
}

/** How a long job runs: with the network, or as a plain resize. */
export type Way = 'network' | 'lanczos';

/** The state of a picture's requested result. */
export type Phase =
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'working';
      readonly stage: UpscaleProgress['stage'] | null;
      readonly fraction: number;
      readonly remainingMs: number | null;
    }
  /**
   * The result might be too large for the browser, so the visitor must confirm the job. `toFile`
   * means that the result must be written to a file.
   */
  | { readonly kind: 'confirm'; readonly warning: string; readonly toFile: boolean }
  /**
   * The job would take more than a minute. `cpuMs` is the estimate; null if no network can do it.
   */
  | { readonly kind: 'choose'; readonly cpuMs: number | null }
  | { readonly kind: 'done' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed' };

export interface Trouble {
  readonly message: string;
  /** Advice on how to solve the problem. Can be empty. */
  readonly hint: string;
}

/** A finished result. */
export type Result = Omit<UpscaleOutput, 'image'> & {
  /** A key for the settings and the part of the picture from which this result was computed. */
  readonly key: string;
  readonly settings: Settings;
  readonly crop: Rect | null;
  /**
   * The result as a PNG with exact values and the picture's profile, EXIF and XMP. If there is a
   * `preview`, EXIF and XMP are missing. Null means that the result was written to the file called
   * `savedAs`.
   */
  readonly file: Blob | null;
  readonly savedAs: string;
};

/** A picture in the queue. */
export interface Item {
  readonly id: string;
  readonly picture: Picture;
  /** The part to process, in picture pixels. Null means the whole picture. */
  readonly crop: Rect | null;
  readonly settings: Settings;
  readonly phase: Phase;
  readonly trouble: Trouble | null;
  /** All of this picture's results, with the oldest first. */
  readonly results: readonly Result[];
  /** The keys of the results that the visitor has saved. */
  readonly saved: readonly string[];
  /** The visible result, which is the last one that succeeded. */
  readonly result: Result | null;
  /** The visitor's answer in the phase `choose`. */
  readonly way: Way | null;
  /** The result's share in the shown and saved image, from 0 to 1. The rest is a plain resize. */
  readonly strength: number;
  /** Whether the visitor confirmed a very large result. */
  readonly confirmed: boolean;
}

export interface State {
  readonly detection: Detection | null;
  /** The pictures of the queue, in order. */
  readonly items: readonly Item[];
  /** The id of the selected picture. */
  readonly selected: string | null;
  /** Whether the welcome page is shown instead of the pictures. The pictures are kept. */
  readonly isHome: boolean;
  /** The settings for the next picture. */
  readonly settings: Settings;
  /** The selected picture's result for drawing. Null while it is being decoded. */
  readonly drawing: { readonly result: Result; readonly image: ImageBitmap } | null;
  /** Whether starting further pictures is paused. */
  readonly isPaused: boolean;
  /** Pictures that were just removed and can still be restored. */
  readonly removed: readonly Item[];
  /**
   * The last problem that is not about a single picture. It stays until something new is started.
   */
  readonly trouble: Trouble | null;
}

export const selectedOf = (state: State): Item | null =>
  state.items.find(({ id }) => id === state.selected) ?? null;

/** Returns the size of the processed part. Null if the page could not read the picture. */
export const sourceSizeOf = ({ crop, picture }: Pick<Item, 'crop' | 'picture'>): Size | null =>
  crop ?? picture.size;

/** Returns the results that exist only on the page. */
export const unsavedOf = (state: State): Result[] =>
  state.items.flatMap(({ results, saved }) => results.filter(({ key }) => !saved.includes(key)));
