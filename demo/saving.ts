import type { Metadata, UpscaleRequest, Upscaler } from '../src/index.ts';
import { resizePlainly } from './before.ts';
import {
  canPickFile,
  EXTENSIONS,
  pickFile,
  pickFolder,
  type SaveFormat,
  save,
  writeFile,
} from './download.ts';
import { baseName, distinctNames, patternName, resultName } from './format.ts';
import { madeTitle } from './models.ts';
import type { Output } from './output.ts';
import type { Session } from './session.ts';
import { wishName } from './sizes.ts';
import { type Item, type Result, selectedOf } from './state.ts';
import { troubleOf } from './texts/trouble.ts';

interface Parts {
  readonly upscaler: Pick<Upscaler, 'encode' | 'upscale'>;
  readonly session: Session;
  /** The output settings that the visitor chose. */
  readonly output: Pick<Output, 'quality' | 'pattern' | 'use'>;
}

/** A result together with its picture. */
interface Finished {
  readonly item: Item;
  readonly result: Result;
}

const finishedOf = (item: Item): Finished | null =>
  item.result?.file ? { item, result: item.result } : null;

/** Saves results: one file, all files in a ZIP, or all files in a folder. Marks saved results. */
export class Saving {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Downloads the selected picture's result. */
  saveOne(format: SaveFormat, metadata: Metadata): Promise<void> {
    return this.#withSelected(async (finished) => {
      this.#parts.output.use(format);
      save(await this.#encode(finished, format, metadata), this.#name(finished, format));
      this.#mark(finished);
    });
  }

  /** Copies the selected picture's result to the clipboard, as PNG. */
  copy(): Promise<void> {
    return this.#withSelected(async (finished) => {
      const file = this.#encode(finished, 'png', 'drop');
      await navigator.clipboard.write([new ClipboardItem({ 'image/png': file })]);
      this.#mark(finished);
    });
  }

  /** Shares the selected picture's result with another app. */
  share(): Promise<void> {
    return this.#withSelected(async (finished) => {
      const blob = await this.#encode(finished, 'png', 'drop');
      const file = new File([blob], this.#name(finished, 'png'), { type: 'image/png' });
      try {
        await navigator.share({ files: [file] });
        this.#mark(finished);
      } catch (error) {
        if ((error as DOMException).name !== 'AbortError') throw error;
      }
    });
  }

  /** Lets visitors drag the result's file out of the window, in browsers that support this. */
  dragOut({ dataTransfer }: DragEvent): void {
    const finished = this.#selected();
    if (!finished || !dataTransfer) return;
    const url = URL.createObjectURL(finished.result.file as Blob);
    dataTransfer.setData('DownloadURL', `image/png:${this.#name(finished, 'png')}:${url}`);
    dataTransfer.setData('text/uri-list', url);
    dataTransfer.effectAllowed = 'copy';
    setTimeout(() => URL.revokeObjectURL(url), 600_000);
  }

  /**
   * Saves all results as one ZIP. If the visitor can pick a file, the ZIP is written to it piece by
   * piece.
   */
  saveZip(format: SaveFormat, onProgress: (done: number, all: number) => void): Promise<void> {
    return this.#guard(async () => {
      const name = 'crispen.zip';
      const handle = canPickFile() ? await pickFile(name) : null;
      if (canPickFile() && handle === null) return;
      const { downloadZip } = await import('client-zip');
      const written = this.#files(format, onProgress);
      const response = downloadZip(written);
      if (handle) await response.body?.pipeTo(await handle.createWritable());
      else save(await response.blob(), name);
      for (const finished of this.#finished()) this.#mark(finished);
    });
  }

  /** Saves all results as files in a folder that the visitor chooses. */
  saveFolder(format: SaveFormat, onProgress: (done: number, all: number) => void): Promise<void> {
    return this.#guard(async () => {
      const folder = await pickFolder();
      if (folder === null) return;
      for await (const { name, input } of this.#files(format, onProgress)) {
        await writeFile(folder, name, input);
      }
      for (const finished of this.#finished()) this.#mark(finished);
    });
  }

  #selected(): Finished | null {
    const item = selectedOf(this.#parts.session.state);
    return item && finishedOf(item);
  }

  #finished(): Finished[] {
    return this.#parts.session.state.items.flatMap((item) => finishedOf(item) ?? []);
  }

  /** Encodes the results one by one, so that only one encoded file is in memory. */
  async *#files(format: SaveFormat, onProgress: (done: number, all: number) => void) {
    const all = this.#finished();
    const names = distinctNames(all.map((finished) => this.#name(finished, format)));
    for (const [i, finished] of all.entries()) {
      onProgress(i, all.length);
      const input = await this.#encode(finished, format, 'drop');
      yield { name: names[i], input };
    }
    onProgress(all.length, all.length);
  }

  #name({ item, result }: Finished, format: SaveFormat): string {
    const { width, height, settings } = result;
    const { pattern } = this.#parts.output;
    const [name, size] = [item.picture.name, wishName(settings.size)];
    if (pattern === '') return resultName(name, size, EXTENSIONS[format]);
    const model = madeTitle(result);
    const parts = { name: baseName(name), size, model, width, height };
    return patternName(pattern, parts, EXTENSIONS[format]);
  }

  async #encode({ item, result }: Finished, format: SaveFormat, metadata: Metadata): Promise<Blob> {
    const isMixed = item.strength < 1 && result.preview === null;
    const file = isMixed ? await this.#mix(item, result) : (result.file as Blob);
    const { quality } = this.#parts.output;
    const type = `image/${format}` satisfies UpscaleRequest['output'];
    const isAsWanted =
      isMixed || metadata === 'keep' || !result.source.hasMetadata || result.preview !== null;
    const isReady = format === 'png' && isAsWanted;
    return isReady ? file : this.#parts.upscaler.encode(file, { type, metadata, quality });
  }

  async #mix({ picture, strength }: Item, result: Result): Promise<Blob> {
    const { source, file } = result;
    const { upscaler } = this.#parts;
    const [{ blend }, plain, whole] = await Promise.all([
      import('./blend.ts'),
      resizePlainly(upscaler, picture.file, result),
      createImageBitmap(file as Blob),
    ]);
    const space = source.colorSpace === 'display-p3' ? 'display-p3' : 'srgb';
    const mixed = await blend(whole, plain, strength, space);
    for (const image of [plain, whole]) image.close();
    return mixed;
  }

  #mark({ item, result }: Finished): void {
    this.#parts.session.markSaved(item.id, result.key);
  }

  #withSelected(work: (finished: Finished) => Promise<void>): Promise<void> {
    return this.#guard(async () => {
      const finished = this.#selected();
      if (finished) await work(finished);
    });
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.session.report(troubleOf(error, 'WRITE_FAILED'));
    }
  }
}
