/** Controls how results are saved: the quality, the last used format, and the file name pattern. */
import type { OutputType, Upscaler } from '../src/index.ts';
import { get, say } from './dom.ts';
import { SAVE_FORMATS, type SaveFormat } from './download.ts';
import { fileSize } from './format.ts';
import { remember } from './remember.ts';

const KEY = 'crispen-output';
const DEFAULT_QUALITY = 0.92;
/**
 * Results above this number of pixels are only encoded when they are saved, because a trial would
 * take seconds.
 */
const MOST_PIXELS = 8e6;
const SETTLED_MS = 400;
/**
 * For results above this number of pixels, the AVIF file size is estimated from a square with this
 * number of pixels. The AVIF encoder takes a second per megapixel, and blocks the worker in the
 * meantime.
 */
const SAMPLE_PIXELS = 262_144;

/** A result for which file sizes are measured. */
interface Weighed {
  /** The result as a PNG file. */
  readonly file: Blob;
  readonly width: number;
  readonly height: number;
}

interface Parts {
  readonly upscaler: Pick<Upscaler, 'encode'>;
}

/**
 * Returns the size of the AVIF file. For large results, the size is an estimate: the WebP file's
 * size times the two formats' size ratio in the middle of the picture.
 */
async function weighAvif(
  { file, width, height }: Weighed,
  weigh: (image: Blob | ImageBitmap, type: OutputType) => Promise<number>,
): Promise<string> {
  if (width * height <= SAMPLE_PIXELS) return fileSize(await weigh(file, 'image/avif'));
  const side = Math.sqrt(SAMPLE_PIXELS);
  const across = Math.min(width, Math.max(side, Math.ceil(SAMPLE_PIXELS / height)));
  const down = Math.min(height, Math.floor(SAMPLE_PIXELS / across));
  const [x, y] = [(width - across) >> 1, (height - down) >> 1];
  const sample = await createImageBitmap(file, x, y, across, down);
  try {
    const whole = await weigh(file, 'image/webp');
    const share = (await weigh(sample, 'image/avif')) / (await weigh(sample, 'image/webp'));
    return `≈ ${fileSize(whole * share)}`;
  } finally {
    sample.close();
  }
}

/** Remembers how the visitor saves, and shows how large the files would be. */
export class Output {
  readonly #parts: Parts;
  #quality = DEFAULT_QUALITY;
  #pattern = '';
  #format: SaveFormat = 'png';
  #shown: Weighed | null = null;
  /** Whether to measure file sizes, which starts when the visitor first changes the quality. */
  #isWanted = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** A counter that increases whenever the previous file sizes become outdated. */
  #turn = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#recall();
    const quality = get<HTMLInputElement>('quality');
    quality.value = String(Math.round(this.#quality * 100));
    quality.addEventListener('input', () => {
      this.#quality = Number(quality.value) / 100;
      this.#isWanted = true;
      this.#remember();
      this.#weighSoon();
    });
    const pattern = get<HTMLInputElement>('name-pattern');
    pattern.value = this.#pattern;
    pattern.addEventListener('input', () => {
      this.#pattern = pattern.value;
      this.#remember();
    });
    const all = get<HTMLSelectElement>('queue-format');
    all.value = this.#format;
    all.addEventListener('change', () => this.use(all.value as SaveFormat));
    this.#render();
  }

  /** The encoding quality for all formats except PNG. */
  get quality(): number {
    return this.#quality;
  }

  /** The file name pattern. If empty, the usual pattern is used. */
  get pattern(): string {
    return this.#pattern;
  }

  /** Remembers the format in which the visitor saves. This format becomes the first choice. */
  use(format: SaveFormat): void {
    this.#format = format;
    get<HTMLSelectElement>('queue-format').value = format;
    this.#remember();
    this.#render();
  }

  /** Shows the file sizes for another result. Null shows no sizes. */
  show(result: Weighed | null): void {
    if (result?.file === this.#shown?.file) return;
    this.#shown = result;
    this.#weighSoon();
  }

  #weighSoon(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    say(get('quality-value'), String(Math.round(this.#quality * 100)));
    for (const format of SAVE_FORMATS) say(get(`bytes-${format}`), '');
    const shown = this.#shown;
    if (!shown) return;
    say(get('bytes-png'), fileSize(shown.file.size));
    if (!this.#isWanted || shown.width * shown.height > MOST_PIXELS) return;
    this.#timer = setTimeout(() => void this.#weigh(shown, this.#turn), SETTLED_MS);
  }

  /** Measures file sizes. Stops between two encodings if the quality or the result changes. */
  async #weigh(weighed: Weighed, turn: number): Promise<void> {
    const { file } = weighed;
    const weigh = async (image: Blob | ImageBitmap, type: OutputType): Promise<number> => {
      if (turn !== this.#turn) throw new Error('outdated');
      return (await this.#parts.upscaler.encode(image, { type, quality: this.#quality })).size;
    };
    for (const format of SAVE_FORMATS) {
      if (format === 'png') continue;
      const work =
        format === 'avif'
          ? weighAvif(weighed, weigh)
          : weigh(file, `image/${format}`).then(fileSize);
      // Errors are ignored here, because saving will report them.
      const text = await work.catch(() => '');
      if (turn !== this.#turn) return;
      say(get(`bytes-${format}`), text);
    }
  }

  #render(): void {
    for (const format of SAVE_FORMATS) {
      get(`save-${format}`).classList.toggle('primary', format === this.#format);
    }
  }

  #recall(): void {
    try {
      const { quality, format, pattern } = JSON.parse(localStorage.getItem(KEY) ?? '{}');
      if (quality >= 0.1 && quality <= 1) this.#quality = quality;
      if (SAVE_FORMATS.includes(format)) this.#format = format;
      if (typeof pattern === 'string') this.#pattern = pattern;
    } catch {
      // Something other than this page wrote the stored value, so the defaults are used.
    }
  }

  #remember(): void {
    const text = JSON.stringify({
      quality: this.#quality,
      format: this.#format,
      pattern: this.#pattern,
    });
    remember(KEY, text);
  }
}
