/**
 * URLs of the packaged weight files, by name. The list is empty in the source. The build of the
 * library inserts the files next to it, each as `new URL('./models/…', import.meta.url)`, which
 * bundlers understand.
 */
export const PACKAGED: Readonly<Record<string, string>> = {};
