/** Pictures on their way in: dropped, pasted, picked. */

export interface Intake {
  /** Something that is not a file was dropped or pasted. */
  readonly onNothing: () => void;
  readonly onFiles: (files: readonly File[]) => void;
}

/**
 * Takes files dropped anywhere on the page or pasted. While files hover over the page its root
 * element has the class `is-dropping`.
 */
export function listenForFiles({ onFiles, onNothing }: Intake): void {
  const root = document.documentElement;
  const hasFiles = (transfer: DataTransfer | null) => transfer?.types.includes('Files') ?? false;
  // dragenter and dragleave come for every element that is crossed.
  let depth = 0;
  const hover = (change: number) => {
    depth = Math.max(0, depth + change);
    root.classList.toggle('is-dropping', depth > 0);
  };
  addEventListener('dragenter', (event) => hasFiles(event.dataTransfer) && hover(1));
  addEventListener('dragleave', (event) => hasFiles(event.dataTransfer) && hover(-1));
  addEventListener('dragover', (event) => {
    // Without this the browser would open the file in place of the page.
    event.preventDefault();
    if (event.dataTransfer) {
      event.dataTransfer.dropEffect = hasFiles(event.dataTransfer) ? 'copy' : 'none';
    }
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    hover(-depth);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) onFiles(files);
    else onNothing();
  });
  addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) onFiles(files);
    else onNothing();
  });
}

/**
 * The picture as the page itself can draw it, or null where the browser cannot decode it. The
 * pixels are decoded lazily, so that an enormous file costs nothing but its header here.
 */
export async function readImage(file: Blob): Promise<HTMLImageElement | null> {
  const image = new Image();
  const url = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = url;
    });
    return image.naturalWidth > 0 ? image : null;
  } catch {
    URL.revokeObjectURL(url);
    return null;
  }
}

/** Lets go of the bytes behind an image that is no longer shown. */
export function releaseImage(image: HTMLImageElement | null): void {
  if (image) URL.revokeObjectURL(image.src);
}
