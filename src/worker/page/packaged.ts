/**
 * Addresses of the weight files that came with the code, by name. The source has none; the build of
 * the library puts the files that lie beside it here, each as `new URL('./models/…', import.meta.url)`,
 * which bundlers understand.
 */
export const PACKAGED: Readonly<Record<string, string>> = {};
