/**
 * The URLs of the weight files that the library package contains, by file name. In the source code,
 * this object is empty. The build copies one weight file to the library's `models` folder and adds
 * its URL here. The URL has the form `new URL('./models/…', import.meta.url)`, which bundlers
 * recognise.
 */
export const PACKAGED: Readonly<Record<string, string>> = {};
