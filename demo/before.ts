import type { UpscaleOutput, Upscaler } from '../src/index.ts';
import { choiceTitle } from './models.ts';
import { type Wish, wishWords } from './sizes.ts';
import { type Item, type Result, type State, selectedOf, type Trouble } from './state.ts';
import { t } from './texts/texts.ts';
import { trouble } from './texts/trouble.ts';

/**
 * What the result is compared with: the original as browsers enlarge it, its pixels, a Lanczos
 * resize, or another result.
 */
export type BeforeMode = 'browser' | 'pixels' | 'lanczos' | 'pinned';

export interface BeforeSide {
  readonly mode: BeforeMode;
  /** Null: the original itself. */
  readonly image: ImageBitmap | null;
  readonly tag: string;
  /** The divider's name for this side. */
  readonly name: string;
  /** What a weaker result is blended with; null while it is missing or not needed. */
  readonly plain: ImageBitmap | null;
}

interface Parts {
  readonly upscaler: Pick<Upscaler, 'upscale'>;
  readonly draw: (file: Blob) => Promise<ImageBitmap>;
  readonly onChange: () => void;
  readonly onTrouble: (trouble: Trouble) => void;
}

interface Drawn {
  readonly key: string;
  readonly image: ImageBitmap;
}

/** A result and what made it: `Photo 2×`. */
export const resultTitle = ({ settings, backend }: Result): string =>
  `${backend === 'lanczos' ? 'Lanczos' : choiceTitle(settings.model)} ${wishWords(settings.size)}`.trim();

const plainKey = ({ id }: Item, { width, height }: Result) => `${id} ${width}x${height}`;

/** An image enlarged with Lanczos. */
export async function resizePlainly(
  upscaler: Pick<Upscaler, 'upscale'>,
  file: Blob,
  size: Wish,
): Promise<ImageBitmap> {
  const request = { ...size, method: 'lanczos', output: 'bitmap' } as const;
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
  #pin: { readonly id: string; readonly result: Result; readonly image: ImageBitmap } | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get mode(): BeforeMode {
    return this.#mode;
  }

  /** Whether a result of the picture on the stage is pinned. */
  isPinned(state: State): boolean {
    return this.#pin !== null && this.#pin.id === state.selected;
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
      this.#pin = { id: item.id, result, image };
    }
    this.#mode = this.#pin ? 'pinned' : 'browser';
    this.#parts.onChange();
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
    const isWanted = this.#mode === 'lanczos' || (item?.strength ?? 1) < 1;
    if (!isWanted || !item || !result || result.preview) return;
    const key = plainKey(item, result);
    if (key === this.#plain?.key || key === this.#wanted) return;
    this.#wanted = key;
    void this.#makePlain(item, result, key);
  }

  async #makePlain({ picture }: Item, { settings }: Result, key: string): Promise<void> {
    const { upscaler, onChange, onTrouble } = this.#parts;
    try {
      const image = await resizePlainly(upscaler, picture.file, settings.size);
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
