/**
 * URLs of the packaged weight files, by name. The list is empty in the source. The build inserts an
 * entry for each weight file next to the library, as `new URL('./models/…', import.meta.url)`,
 * which bundlers understand.
 */
export const PACKAGED: Readonly<Record<string, string>> = {};
