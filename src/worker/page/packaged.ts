/**
 * The URLs of the packaged weight files, by file name. The list is empty in the source. The build
 * inserts the one weight file that it copies to the library's `models` folder. The file's URL has
 * the form `new URL('./models/…', import.meta.url)`, which bundlers recognise.
 */
export const PACKAGED: Readonly<Record<string, string>> = {};
