import type { Plugin } from 'vite';

/**
 * Writes the licences next to the built pages. The build fails if it contains a package that
 * THIRD-PARTY.md does not list.
 */
export function licences(options: { readonly emit: boolean }): Plugin;
