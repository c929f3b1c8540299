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
 * What the result is compared with: the original as browsers enlarge it, its pixels, a Lanczos
 * resize, another result, or a reference: the true large picture. `difference` shows how much the result
 * differs from the original, or from the pinned result.
 */
export type BeforeMode = 'browser' | 'pixels' | 'lanczos' | 'pinned' | 'difference' | 'reference';

export interface BeforeSide {
  readonly mode: BeforeMode;
  /** Null: the original itself. */
  readonly image: ImageBitmap | null;
  readonly tag: string;
  /** The divider's name for this side. */
  readonly name: string;
  /** What a weaker result is blended with; null while it is missing or not needed. */
  readonly plain: ImageBitmap | null;
  /** How close the result is to the reference; null while unknown. */
  readonly figures?: Figures | null;
}

interface Parts {
  readonly upscaler: Pick<Upscaler, 'upscale'>;
  readonly draw: (file: Blob) => Promise<ImageBitmap>;
  readonly onChange: () => void;
  readonly onTrouble: (trouble: Trouble) => void;
}

/** A picture, or a part of it. */
interface Part {
  readonly id: string;
  readonly crop: Rect | null;
}

/** Whether the visible result is of this part: those of others do not lie over it. */
const isSamePart = ({ id, crop }: Part, state: State): boolean =>
  id === state.selected && cropKey(crop) === cropKey(selectedOf(state)?.result?.crop ?? null);

interface Drawn {
  readonly key: string;
  readonly image: ImageBitmap;
}

/** A result and what made it: `Photo 2×`. */
export const resultTitle = (result: Result): string => {
  const maker = result.backend === 'lanczos' ? 'Lanczos' : madeTitle(result);
  return `${maker} ${wishWords(result.settings.size)}`.trim();
};

const plainKey = ({ id }: Item, { width, height, crop }: Result) =>
  `${id} ${width}x${height} ${cropKey(crop)}`;

/** What a result was made from, resized with Lanczos. */
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

/** The side of the comparison before the result. */
export class Before {
  readonly #parts: Parts;
  #mode: BeforeMode = 'browser';
  /** The selected picture enlarged with Lanczos, made on first use. */
  #plain: Drawn | null = null;
  #wanted = '';
  #pin: (Part & { readonly result: Result; readonly image: ImageBitmap }) | null = null;
  #reference: (Part & { readonly file: Blob; readonly image: ImageBitmap }) | null = null;
  /** By result; null: being measured. */
  readonly #figures = new WeakMap<Result, Figures | null>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get mode(): BeforeMode {
    return this.#mode;
  }

  /** Whether a result of what is on the stage is pinned. */
  isPinned(state: State): boolean {
    return this.#pin !== null && isSamePart(this.#pin, state);
  }

  setMode(mode: BeforeMode, state: State): void {
    this.#mode = mode;
    this.update(state);
    this.#parts.onChange();
  }

  /** Keeps the current result for comparison with the next ones; a second call releases it. */
  async pin(state: State): Promise<void> {
    const item = selectedOf(state);
    const result = item?.result;
    const wasPinned = this.isPinned(state);
    this.#pin?.image.close();
    this.#pin = null;
    if (!wasPinned && item && result?.file) {
      // A separate bitmap, because those of results may be freed.
      const image = await this.#parts.draw(result.file);
      this.#pin = { id: item.id, crop: result.crop, result, image };
    }
    this.#mode = this.#pin ? 'pinned' : 'browser';
    this.#parts.onChange();
  }

  /** Whether there is a reference for the picture on the stage. */
  hasReference(state: State): boolean {
    return this.#reference !== null && isSamePart(this.#reference, state);
  }

  /** Compares the result with a picture that shows what it should be. */
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
    // Its figures belong to the reference before.
    for (const made of item.results) this.#figures.delete(made);
    this.#reference = { id: item.id, crop: result.crop, file, image };
    this.setMode('reference', state);
  }

  side(state: State): BeforeSide {
    const item = selectedOf(state);
    const result = state.drawing?.result ?? null;
    const plain = this.plain(state);
    if (this.#mode === 'pixels') {
      const { originalPixels: tag, originalName: name } = t.compare;
      return { mode: 'pixels', image: null, tag, name, plain };
    }
    if (this.#mode === 'pinned' && this.#pin && this.isPinned(state)) {
      const tag = resultTitle(this.#pin.result);
      return { mode: 'pinned', image: this.#pin.image, tag, name: tag, plain };
    }
    if (this.#mode === 'difference') {
      const image = this.isPinned(state) ? (this.#pin?.image ?? null) : null;
      const tag = t.compare.difference;
      return { mode: 'difference', image, tag, name: tag, plain };
    }
    if (this.#mode === 'reference' && result && this.#fits(state, result)) {
      const tag = t.compare.reference;
      const figures = this.#figures.get(result) ?? null;
      const image = this.#reference?.image ?? null;
      return { mode: 'reference', image, tag, name: tag, plain, figures };
    }
    if (this.#mode === 'lanczos' && item && result && plain) {
      const tag = `Lanczos ${wishWords(result.settings.size)}`.trim();
      return { mode: 'lanczos', image: plain, tag, name: 'Lanczos', plain };
    }
    return {
      mode: 'browser',
      image: null,
      tag: t.page.original,
      name: t.compare.originalName,
      plain,
    };
  }

  /**
   * The plain resize of the selected picture, to be blended with its result; null if there is none.
   */
  plain(state: State): ImageBitmap | null {
    const item = selectedOf(state);
    const result = state.drawing?.result;
    return item && result && this.#plain?.key === plainKey(item, result) ? this.#plain.image : null;
  }

  /** Makes what the mode and the strength need for the current picture. */
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

  /** Whether the reference is for this result: another scale has another size. */
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
