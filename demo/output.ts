/** How results are saved: the quality, the format of the last time, and the pattern of names. */
import { FORMATS } from '../src/codecs/formats.ts';
import type { Upscaler } from '../src/index.ts';
import { get, say } from './dom.ts';
import type { SaveFormat } from './download.ts';
import { fileSize } from './format.ts';

const KEY = 'crispen-output';
const DEFAULT_QUALITY = 0.92;
/** Larger results are only encoded when they are saved: one trial would take seconds. */
const MOST_PIXELS = 8e6;
const SETTLED_MS = 400;

const NAMES: readonly SaveFormat[] = Object.values(FORMATS).map(({ name }) => name);

/** A result whose files are weighed. */
interface Weighed {
  /** PNG. */
  readonly file: Blob;
  readonly width: number;
  readonly height: number;
}

interface Parts {
  readonly upscaler: Pick<Upscaler, 'encode'>;
}

/** Remembers how the visitor saves, and shows how large the files would be. */
export class Output {
  readonly #parts: Parts;
  #quality = DEFAULT_QUALITY;
  #pattern = '';
  #format: SaveFormat = 'png';
  #shown: Weighed | null = null;
  /** Sizes are weighed once the visitor has touched the quality. */
  #isWanted = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Grows with everything that makes the sizes of before wrong. */
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

  /** For all formats but PNG. */
  get quality(): number {
    return this.#quality;
  }

  /** Empty: the usual one. */
  get pattern(): string {
    return this.#pattern;
  }

  /** The visitor saves in a format: it is the first choice from now on. */
  use(format: SaveFormat): void {
    this.#format = format;
    get<HTMLSelectElement>('queue-format').value = format;
    this.#remember();
    this.#render();
  }

  /** Shows the sizes of another result's files; null: none. */
  show(result: Weighed | null): void {
    if (result?.file === this.#shown?.file) return;
    this.#shown = result;
    this.#weighSoon();
  }

  #weighSoon(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    say(get('quality-value'), String(Math.round(this.#quality * 100)));
    for (const format of NAMES) say(get(`bytes-${format}`), '');
    const shown = this.#shown;
    if (!shown) return;
    say(get('bytes-png'), fileSize(shown.file.size));
    if (!this.#isWanted || shown.width * shown.height > MOST_PIXELS) return;
    this.#timer = setTimeout(() => void this.#weigh(shown, this.#turn), SETTLED_MS);
  }

  async #weigh({ file }: Weighed, turn: number): Promise<void> {
    for (const type of ['image/jpeg', 'image/webp'] as const) {
      try {
        const encoded = await this.#parts.upscaler.encode(file, { type, quality: this.#quality });
        if (turn !== this.#turn) return;
        say(get(`bytes-${FORMATS[type].name}`), fileSize(encoded.size));
      } catch {
        // Saving will say why.
      }
    }
  }

  #render(): void {
    for (const format of NAMES) {
      get(`save-${format}`).classList.toggle('primary', format === this.#format);
    }
  }

  #recall(): void {
    try {
      const { quality, format, pattern } = JSON.parse(localStorage.getItem(KEY) ?? '{}');
      if (quality >= 0.1 && quality <= 1) this.#quality = quality;
      if (NAMES.includes(format)) this.#format = format;
      if (typeof pattern === 'string') this.#pattern = pattern;
    } catch {
      // Written by something else.
    }
  }

  #remember(): void {
    const text = JSON.stringify({
      quality: this.#quality,
      format: this.#format,
      pattern: this.#pattern,
    });
    try {
      localStorage.setItem(KEY, text);
    } catch {
      // No storage: the next visit starts with the defaults.
    }
  }
}
