import { FORMATS, type FormatName } from '../src/codecs/formats.ts';
import { t } from './texts/texts.ts';

/** Hands a blob to the browser's download manager, with a file name. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The bytes must stay in memory until the download begins. 60 seconds is enough in every browser.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

interface Pickers {
  /** This function does not exist in every browser. */
  showSaveFilePicker?(options: {
    suggestedName: string;
    types: { description: string; accept: Record<string, string[]> }[];
  }): Promise<FileSystemFileHandle>;
  showDirectoryPicker?(options: { mode: 'readwrite' }): Promise<FileSystemDirectoryHandle>;
}

const pickers = (): Pickers => window as Pickers;

/** Returns whether `pickFile` can ask the visitor. */
export const canPickFile = (): boolean => pickers().showSaveFilePicker !== undefined;
/** Returns whether `pickFolder` can ask the visitor. */
export const canPickFolder = (): boolean => pickers().showDirectoryPicker !== undefined;

const TYPES = {
  png: { 'image/png': ['.png'] },
  zip: { 'application/zip': ['.zip'] },
};

/**
 * Asks the visitor where to save a file. Returns null if the visitor cancels. Must be called in
 * response to a click.
 */
export function pickFile(suggestedName: string): Promise<FileSystemFileHandle | null> {
  const type = suggestedName.endsWith('.zip') ? 'zip' : 'png';
  const types = [{ description: t.fileTypes[type], accept: TYPES[type] }];
  return unlessLeft(pickers().showSaveFilePicker?.({ suggestedName, types }));
}

/** Asks the visitor for a folder to write to. Returns null if the visitor cancels. */
export const pickFolder = (): Promise<FileSystemDirectoryHandle | null> =>
  unlessLeft(pickers().showDirectoryPicker?.({ mode: 'readwrite' }));

async function unlessLeft<T>(picked: Promise<T> | undefined): Promise<T | null> {
  try {
    return (await picked) ?? null;
  } catch (error) {
    if ((error as DOMException).name === 'AbortError') return null;
    throw error;
  }
}

/** Writes a file in a folder. An existing file of this name is replaced. */
export async function writeFile(
  folder: FileSystemDirectoryHandle,
  name: string,
  content: Blob | string,
): Promise<void> {
  const file = await folder.getFileHandle(name, { create: true });
  const writable = await file.createWritable();
  await writable.write(content);
  await writable.close();
}

export type SaveFormat = FormatName;

export const SAVE_FORMATS: readonly SaveFormat[] = Object.values(FORMATS).map(({ name }) => name);

/** The file extension for each saved format. */
export const EXTENSIONS = Object.fromEntries(
  Object.values(FORMATS).map(({ name, extensions }) => [name, extensions[0]]),
) as Readonly<Record<SaveFormat, string>>;
