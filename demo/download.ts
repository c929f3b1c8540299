import { FORMATS, type FormatName } from '../src/codecs/formats.ts';

/** Hands a blob to the browser's download manager under a name. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has begun by then in every browser; until then the bytes must stay.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

interface Pickers {
  /** Not in every browser. */
  showSaveFilePicker?(options: {
    suggestedName: string;
    types: { description: string; accept: Record<string, string[]> }[];
  }): Promise<FileSystemFileHandle>;
}

/** Whether `pickFile` can ask. */
export const canPickFile = (): boolean => (window as Pickers).showSaveFilePicker !== undefined;

/** Asks where to save a PNG; null where the visitor thinks better of it. Needs a click. */
export async function pickFile(suggestedName: string): Promise<FileSystemFileHandle | null> {
  const types = [{ description: 'PNG picture', accept: { 'image/png': ['.png'] } }];
  try {
    return (await (window as Pickers).showSaveFilePicker?.({ suggestedName, types })) ?? null;
  } catch (error) {
    if ((error as DOMException).name === 'AbortError') return null;
    throw error;
  }
}

export type SaveFormat = FormatName;

/** The extension of a saved file, by format. */
export const EXTENSIONS = Object.fromEntries(
  Object.values(FORMATS).map(({ name, extensions }) => [name, extensions[0]]),
) as Readonly<Record<SaveFormat, string>>;
