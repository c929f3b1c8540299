import type { Rect } from '../src/geometry.ts';
import type { UpscaleOutput, Upscaler } from '../src/index.ts';
import { dimensions } from './format.ts';
import { cropKey } from './job.ts';
import type { Figures } from './measure/measure-worker.ts';
import { madeTitle } from './models.ts';
import { wishWords } from './sizes.ts';
import { type Item, type Result, type State, selectedOf, type Trouble } from './state.ts';
import { t } from './texts/texts.ts';
import { trouble, troubleOf } from './texts/trouble.ts';

/**
 * What the left side of the comparison shows: the original as browsers enlarge it, its pixels, a
 * Lanczos resize, another result, or a reference, which is the true large picture. `difference`
 * shows how much the result differs from the original or from the pinned result.
 */
export type BeforeMode = 'browser' | 'pixels' | 'lanczos' | 'pinned' | 'difference' | 'reference';

export interface BeforeSide {
  readonly mode: BeforeMode;
  /** The image of this side. Null means the original itself. */
  readonly image: ImageBitmap | null;
  readonly tag: string;
  /** This side's name in the divider's label. */
  readonly name: string;
  /** A plain resize for blending with the result. Null while it is missing or not needed. */
  readonly plain: ImageBitmap | null;
  /** How close the result is to the reference; null while this is unknown. */
  readonly figures?: Figures | null;
}

interface Parts {
  readonly upscaler: Pick<Upscaler, 'upscale'>;
  readonly draw: (file: Blob) => Promise<ImageBitmap>;
  readonly onChange: () => void;
  readonly onTrouble: (trouble: Trouble) => void;
}

/** A picture, or a part of a picture. */
interface Part {
  readonly id: string;
  readonly crop: Rect | null;
}

/**
 * Returns whether the visible result shows this part. Results of other parts cannot be compared.
 */
const isSamePart = ({ id, crop }: Part, state: State): boolean =>
  id === state.selected && cropKey(crop) === cropKey(selectedOf(state)?.result?.crop ?? null);

interface Drawn {
  readonly key: string;
  readonly image: ImageBitmap;
}

/** Returns the title of a result from its model and size: `Photo 2×`. */
export const resultTitle = (result: Result): string => {
  const maker = result.backend === 'lanczos' ? 'Lanczos' : madeTitle(result);
  return `${maker} ${wishWords(result.settings.size)}`.trim();
};

const plainKey = ({ id }: Item, { width, height, crop }: Result) =>
  `${id} ${width}x${height} ${cropKey(crop)}`;

/** Resizes the source of a result with Lanczos. */
export async function resizePlainly(
  upscaler: Pick<Upscaler, 'upscale'>,
  file: Blob,
  { settings, crop }: Pick<Result, 'settings' | 'crop'>,
): Promise<ImageBitmap> {
  const part = crop && { region: crop };
  const request = { ...settings.size, ...part, method: 'lanczos', output: 'bitmap' } as const;
  const { image } = (await upscaler.upscale(file, request)) as UpscaleOutput<ImageBitmap>;
  return image;
}

/** Provides the left side of the comparison. The right side is the result. */
export class Before {
  readonly #parts: Parts;
  #mode: BeforeMode = 'browser';
  /** The selected picture enlarged with Lanczos. This image is created on first use. */
  #plain: Drawn | null = null;
  #wanted = '';
  #pin: (Part & { readonly result: Result; readonly image: ImageBitmap }) | null = null;
  #reference: (Part & { readonly file: Blob; readonly image: ImageBitmap }) | null = null;
  /** Figures by result. Null while a result is being measured. */
  readonly #figures = new WeakMap<Result, Figures | null>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get mode(): BeforeMode {
    return this.#mode;
  }

  /** Returns whether a result for the visible picture or part is pinned. */
  isPinned(state: State): boolean {
    return this.#pin !== null && isSamePart(this.#pin, state);
  }

  setMode(mode: BeforeMode, state: State): void {
    this.#mode = mode;
    this.update(state);
    this.#parts.onChange();
  }

  /** Pins the current result for comparison with later results. A second call unpins it. */
  async pin(state: State): Promise<void> {
    const item = selectedOf(state);
    const result = item?.result;
    const wasPinned = this.isPinned(state);
    this.#pin?.image.close();
    this.#pin = null;
    if (!wasPinned && item && result?.file) {
      // A pinned result needs its own bitmap, because results' bitmaps can be freed.
      const image = await this.#parts.draw(result.file);
      this.#pin = { id: item.id, crop: result.crop, result, image };
    }
    this.#mode = this.#pin ? 'pinned' : 'browser';
    this.#parts.onChange();
  }

  /** Returns whether there is a reference for the visible picture. */
  hasReference(state: State): boolean {
    return this.#reference !== null && isSamePart(this.#reference, state);
  }

  /** Compares the result with a reference, which shows the ideal result. */
  async setReference(file: Blob, state: State): Promise<void> {
    const item = selectedOf(state);
    const result = item?.result;
    const { draw, onTrouble } = this.#parts;
    if (!item || !result) return;
    let image: ImageBitmap;
    try {
      image = await draw(file);
    } catch {
      onTrouble(trouble(t.trouble.noReference));
      return;
    }
    if (image.width !== result.width || image.height !== result.height) {
      const [is, wanted] = [image, result].map(({ width, height }) => dimensions(width, height));
      onTrouble(trouble(t.trouble.otherSize(is, wanted)));
      image.close();
      return;
    }
    this.#reference?.image.close();
    // The existing figures belong to the previous reference.
    for (const made of item.results) this.#figures.delete(made);
    this.#reference = { id: item.id, crop: result.crop, file, image };
    this.setMode('reference', state);
  }

  side(state: State): BeforeSide {
    const mode = this.#mode;
    const result = state.drawing?.result ?? null;
    const plain = this.plain(state);
    const { originalName, originalPixels, difference, reference } = t.compare;
    const pin = this.isPinned(state) ? this.#pin : null;
    if (mode === 'pixels') {
      return { mode, image: null, tag: originalPixels, name: originalName, plain };
    }
    if (mode === 'pinned' && pin) {
      const tag = resultTitle(pin.result);
      return { mode, image: pin.image, tag, name: tag, plain };
    }
    if (mode === 'difference') {
      return { mode, image: pin?.image ?? null, tag: difference, name: difference, plain };
    }
    if (mode === 'reference' && result && this.#fits(state, result)) {
      const figures = this.#figures.get(result) ?? null;
      const image = this.#reference?.image ?? null;
      return { mode, image, tag: reference, name: reference, plain, figures };
    }
    if (mode === 'lanczos' && result && plain) {
      const tag = `Lanczos ${wishWords(result.settings.size)}`.trim();
      return { mode, image: plain, tag, name: 'Lanczos', plain };
    }
    return { mode: 'browser', image: null, tag: t.page.original, name: originalName, plain };
  }

  /**
   * Returns the selected picture's plain resize for blending with its result. Null if there is
   * none.
   */
  plain(state: State): ImageBitmap | null {
    const item = selectedOf(state);
    const result = state.drawing?.result;
    return item && result && this.#plain?.key === plainKey(item, result) ? this.#plain.image : null;
  }

  /** Creates the images and figures that the mode and the strength need for the current picture. */
  update(state: State): void {
    const item = selectedOf(state);
    const result = state.drawing?.result;
    if (this.#mode === 'reference' && result?.file && this.#fits(state, result)) {
      if (!this.#figures.has(result)) void this.#measure(result, result.file);
    }
    const isWanted = this.#mode === 'lanczos' || (item?.strength ?? 1) < 1;
    if (!isWanted || !item || !result || result.preview) return;
    const key = plainKey(item, result);
    if (key === this.#plain?.key || key === this.#wanted) return;
    this.#wanted = key;
    void this.#makePlain(item, result, key);
  }

  /**
   * Returns whether the reference has this result's size. At a different scale, the size differs.
   */
  #fits(state: State, { width, height }: Result): boolean {
    const image = this.#reference?.image;
    return this.hasReference(state) && image?.width === width && image.height === height;
  }

  async #measure(result: Result, file: Blob): Promise<void> {
    const reference = this.#reference?.file;
    if (!reference) return;
    this.#figures.set(result, null);
    try {
      const { measure } = await import('./measure/measure.ts');
      const border = Math.round(result.networkScale);
      const figures = await measure({ result: file, reference, border });
      if (this.#reference?.file !== reference) return;
      this.#figures.set(result, figures);
      this.#parts.onChange();
    } catch (error) {
      this.#parts.onTrouble(troubleOf(error));
    }
  }

  async #makePlain({ picture }: Item, result: Result, key: string): Promise<void> {
    const { upscaler, onChange, onTrouble } = this.#parts;
    try {
      const image = await resizePlainly(upscaler, picture.file, result);
      if (this.#wanted !== key) {
        image.close();
        return;
      }
      this.#plain?.image.close();
      this.#plain = { key, image };
      onChange();
    } catch {
      onTrouble(trouble(t.trouble.noResize));
    }
  }
}
