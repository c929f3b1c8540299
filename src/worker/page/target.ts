/** Removes a file that a picker has just made; one that held something holds it still. */
export async function removeEmpty(file: FileSystemFileHandle & { remove?(): Promise<void> }) {
  try {
    if ((await file.getFile()).size === 0) await file.remove?.();
  } catch {
    // Gone already, or not allowed: the first error is the one to tell.
  }
}
