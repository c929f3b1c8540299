/** Removes a file that a picker has just made. A file that had content keeps it. */
export async function removeEmpty(file: FileSystemFileHandle & { remove?(): Promise<void> }) {
  try {
    if ((await file.getFile()).size === 0) await file.remove?.();
  } catch {
    // Gone already, or not allowed. The first error is reported.
  }
}
