/**
 * The URLs of the packaged weight files, by file name. The list is empty in the source. The build
 * inserts an entry for each weight file next to the library, in the form `new URL('./models/…',
 * import.meta.url)`, which bundlers recognise.
 */
export const PACKAGED: Readonly<Record<string, string>> = {};
