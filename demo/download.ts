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

export type SaveFormat = 'png' | 'jpeg' | 'webp' | 'avif';

export const EXTENSIONS: Readonly<Record<SaveFormat, string>> = {
  png: 'png',
  jpeg: 'jpg',
  webp: 'webp',
  avif: 'avif',
};
