/** Accepts pictures that are dropped, pasted or picked. */
import { get } from './dom.ts';
import { isWeightFile } from './own.ts';
import type { Picture } from './state.ts';

export interface Given {
  readonly files: readonly File[];
  /** The number of files in folders that were skipped because they are not pictures. */
  readonly skipped: number;
}

export interface Intake {
  /** Called when something other than a file was dropped or pasted. */
  readonly onNothing: () => void;
  /** Called when a picture was dropped on the reference area. */
  readonly onReference: (file: File) => void;
  /** Receives the given files and the files inside given folders. */
  readonly onFiles: (given: Promise<Given>) => void;
}

const PICTURE = /\.(png|apng|jpe?g|jfif|webp|avif|gif|bmp|ico|svg|jxl|heic|heif|tiff?)$/i;

/**
 * Returns whether a file in a folder should be used, because folders often contain unrelated files.
 * Files that were chosen individually are always used.
 */
const isMeant = ({ name, type }: File): boolean =>
  !name.startsWith('.') && (type.startsWith('image/') || PICTURE.test(name) || isWeightFile(name));

/** Returns a folder's usable files, sorted by name. */
export function fromFolder(files: readonly File[]): Given {
  const path = (file: File) => file.webkitRelativePath || file.name;
  const meant = files.filter(isMeant);
  meant.sort((a, b) => path(a).localeCompare(path(b), undefined, { numeric: true }));
  return { files: meant, skipped: files.length - meant.length };
}

async function filesBelow(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    // A call returns at most a hundred entries.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return files;
    for (const entry of entries) {
      if (entry.isDirectory) {
        // A folder can contain more files than a function call can have arguments.
        for (const file of await filesBelow(entry as FileSystemDirectoryEntry)) files.push(file);
      } else {
        const file = entry as FileSystemFileEntry;
        files.push(await new Promise<File>((resolve, reject) => file.file(resolve, reject)));
      }
    }
  }
}

/**
 * Reads all dropped files. The transfer itself can only be read now, but reading its folders takes
 * time.
 */
function givenBy(transfer: DataTransfer): Promise<Given> | null {
  const parts: Promise<Given>[] = [];
  for (const item of transfer.items) {
    const entry = item.webkitGetAsEntry?.();
    const file = item.getAsFile();
    if (entry?.isDirectory) {
      parts.push(filesBelow(entry as FileSystemDirectoryEntry).then(fromFolder));
    } else if (file) parts.push(Promise.resolve({ files: [file], skipped: 0 }));
  }
  if (parts.length === 0) return null;
  return Promise.all(parts).then((all) => ({
    files: all.flatMap(({ files }) => files),
    skipped: all.reduce((sum, { skipped }) => sum + skipped, 0),
  }));
}

/**
 * Accepts files that are dropped anywhere on the page or pasted. While files are dragged over the
 * page, its root element has the class `is-dropping`.
 */
export function listenForFiles({ onFiles, onNothing, onReference }: Intake): void {
  const root = document.documentElement;
  const hasFiles = (transfer: DataTransfer | null) => transfer?.types.includes('Files') ?? false;
  // dragenter and dragleave fire for every element under the pointer.
  let depth = 0;
  const hover = (change: number) => {
    depth = Math.max(0, depth + change);
    root.classList.toggle('is-dropping', depth > 0);
  };
  addEventListener('dragenter', (event) => hasFiles(event.dataTransfer) && hover(1));
  addEventListener('dragleave', (event) => hasFiles(event.dataTransfer) && hover(-1));
  addEventListener('dragover', (event) => {
    // Without this call, the browser would replace the page with the file.
    event.preventDefault();
    if (event.dataTransfer) {
      event.dataTransfer.dropEffect = hasFiles(event.dataTransfer) ? 'copy' : 'none';
    }
  });
  const take = (transfer: DataTransfer | null) => {
    const given = transfer && givenBy(transfer);
    if (given) onFiles(given);
    else onNothing();
  };
  addEventListener('drop', (event) => {
    event.preventDefault();
    const isReference = isOn(get('as-reference'), event);
    hover(-depth);
    const [file] = event.dataTransfer?.files ?? [];
    if (isReference && file) onReference(file);
    else take(event.dataTransfer);
  });
  addEventListener('paste', (event) => {
    // The browser handles text that is pasted into a field.
    if (event.target instanceof HTMLInputElement && event.clipboardData?.files.length === 0) return;
    take(event.clipboardData);
  });
}

/** Returns whether a visible element is under the pointer. The overlay ignores the pointer. */
function isOn(element: HTMLElement, { clientX, clientY }: DragEvent): boolean {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX > left && clientX < right && clientY > top && clientY < bottom;
}

/**
 * Returns a file as a picture, with an image that the page can draw if the browser can decode the
 * file. Pixels are decoded lazily, so this function only reads the header, even if the file is
 * huge.
 */
export async function readPicture(file: Blob, name: string): Promise<Picture> {
  const image = new Image();
  const url = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = url;
    });
    const { naturalWidth: width, naturalHeight: height } = image;
    if (width > 0) return { file, name, size: { width, height }, image };
  } catch {
    // The worker will report what kind of file this is.
  }
  URL.revokeObjectURL(url);
  return { file, name, size: null, image: null };
}

/** Frees the bytes of a picture that is no longer shown. */
export function releasePicture({ image }: Picture): void {
  if (image) URL.revokeObjectURL(image.src);
}
